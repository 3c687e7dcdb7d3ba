"""The tools that Kari brings, put together."""

from servers.tool_integration.built_in.calculator import CALCULATOR
from servers.tool_integration.built_in.clock import Clock, utc_now
from servers.tool_integration.built_in.times import Times
from servers.tool_integration.tool import Offer


def built_in(clock: Clock = utc_now) -> list[Offer]:
    """All of them, in no order."""
    return [Times(clock).offer(), CALCULATOR]
