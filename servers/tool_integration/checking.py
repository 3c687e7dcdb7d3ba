"""Looks at a call in the fixed order before it runs."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from servers.tool_integration import arguments, checks
from servers.tool_integration.limits import Limits
from servers.tool_integration.tool import Invocation, Json, Offer


@dataclass(frozen=True)
class Asked:
    """A call as it came. `approved`: the user allowed it, by the word of who may say so."""

    invocation: Invocation
    arguments_json: str
    allowed_tool_ids: Collection[str] = ()
    approved: bool = False


@dataclass(frozen=True)
class Admitted:
    """A call that may run, once the user has been asked if `asks` says so."""

    offer: Offer
    arguments: Mapping[str, Json]
    asks: bool = False


class Checking:
    """The checks, with the count of calls among them."""

    def __init__(self, limits: Limits, unknown: Callable[[str], str] = lambda _: "") -> None:
        """`unknown` says why nobody knows whether there is a tool of an id: the registry's."""
        self._limits = limits
        self._unknown = unknown

    async def check(self, offer: Offer | None, asked: Asked) -> Admitted:
        """The call if it may run; KariError with the reason if not."""
        invocation = asked.invocation
        unknown = self._unknown(invocation.tool_id) if offer is None else ""
        offer = checks.known(offer, invocation.tool_id, unknown)
        checks.allowed(offer)
        checks.role(offer, invocation.principal)
        checks.listed(offer, asked.allowed_tool_ids)
        checks.available(offer)
        if _counts(offer, asked):
            await self._limits.take(offer.tool, invocation.principal)
        given = arguments.parsed(asked.arguments_json)
        arguments.check(offer.tool, given)
        checks.policy(offer, given, invocation)
        return Admitted(offer, given, asks=offer.tool.needs_approval and not asked.approved)


def _counts(offer: Offer, asked: Asked) -> bool:
    """Each call counts once. A turn's was counted when its user was asked about it; outside of a
    turn `approved` is the caller's own word, so there it is the call with it that counts."""
    if asked.invocation.turn_id:
        return not asked.approved
    return asked.approved or not offer.tool.needs_approval
