"""How many runs there may be at once: of a user, and in all. Pure.

A run from outside the tree is a process of up to 256 MB: without this, one user could have as many
as the machine has room for.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import RateLimited

RETRY_SECONDS = 1.0


class Slots:
    """The places of this process; a run within a run has one of its own."""

    def __init__(self, each: int, all_: int) -> None:
        self._each = each
        self._all = all_
        self._taken: Counter[tuple[str, str]] = Counter()

    def refusal(self, who: Principal) -> RateLimited | None:
        """Why the user has no place just now; None if there is one."""
        if self._taken[who.tenant_id, who.user_id] >= self._each:
            return _full("you have", self._each, "KARI_CAPSULE_RUNS_PER_USER")
        if self._taken.total() >= self._all:
            return _full("there are", self._all, "KARI_CAPSULE_RUNS")
        return None

    @contextmanager
    def taken(self, who: Principal) -> Iterator[None]:
        """Holds a place inside the block."""
        key = (who.tenant_id, who.user_id)
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]


def _full(who: str, limit: int, setting: str) -> RateLimited:
    return RateLimited(
        Reason.REASON_TOOL_RATE,
        f"{who} {limit} runs of capsules under way, as many as {setting} allows; "
        "wait for one to end",
        retry_after=RETRY_SECONDS,
        limit=limit,
    )
