"""How many programs may run at once: for a user, and in all. Pure."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import RateLimited

RETRY_SECONDS = 1.0


class Slots:
    """The places of this process."""

    def __init__(self, each: int, all_: int) -> None:
        self._each = each
        self._all = all_
        self._taken: Counter[tuple[str, str]] = Counter()

    @property
    def active(self) -> int:
        """Programs that run now."""
        return self._taken.total()

    @contextmanager
    def taken(self, tenant_id: str, user_id: str) -> Iterator[None]:
        """Holds a place inside the block; RateLimited if there is none."""
        who = (tenant_id, user_id)
        if self._taken[who] >= self._each:
            raise _busy("you have", self._each, "KARI_CODE_RUNS_PER_USER")
        if self.active >= self._all:
            raise _busy("there are", self._all, "KARI_CODE_RUNS")
        self._taken[who] += 1
        try:
            yield
        finally:
            self._taken[who] -= 1
            if not self._taken[who]:
                del self._taken[who]


def _busy(who: str, limit: int, setting: str) -> RateLimited:
    return RateLimited(
        Reason.REASON_CODE_BUSY,
        f"{who} {limit} programs running already, as many as {setting} allows; wait for one to end",
        retry_after=RETRY_SECONDS,
        limit=limit,
    )
