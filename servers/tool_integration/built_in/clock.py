"""The time of day, as a constructor argument, so that tests can say what time it is."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of a running server."""
    return datetime.now(UTC)
