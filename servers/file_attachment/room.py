"""How many calls may bring bytes at once, and how much memory they take together. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kari.errors.v1.errors_pb2 import Reason
from servers.file_attachment.parts import PART_BYTES
from servers.runtime.errors import RateLimited

MEBIBYTE = 1024 * 1024
MOST_CALLS = 128
MOST_BYTES = 256 * MEBIBYTE
"""Of all calls together: each holds the parts that are written and one that comes."""
PARTS_AT_ONCE = 2
User = tuple[str, str]
"""Tenant and user."""


class Place:
    """That of one call. `overtaken` says that a later one goes on with its upload."""

    def __init__(self) -> None:
        self.overtaken = False
        self.wake: Callable[[], None] | None = None
        """What ends the call's waiting, while it waits."""

    def overtake(self) -> None:
        """A later call goes on with the upload."""
        self.overtaken = True
        if self.wake is not None:
            self.wake()


class Room:
    """The more calls there are, the smaller their parts. A user has at most `most_of_user`, and an
    upload one: a later call ends the one before."""

    def __init__(
        self, most_of_user: int, most_calls: int = MOST_CALLS, most_bytes: int = MOST_BYTES
    ) -> None:
        self._most_of_user = most_of_user
        self._most_calls = most_calls
        self._most_bytes = most_bytes
        self._calls = 0
        self._of_users: Counter[User] = Counter()
        self._latest: dict[tuple[User, str], Place] = {}

    @contextmanager
    def call(self, user: User, upload: str, *, counts: bool = True) -> Iterator[Place]:
        """Holds the place of a call of a user with an upload; RateLimited if there is none. One
        that does not count is bounded with all others only."""
        before = self._latest.get((user, upload))
        # Whoever is overtaken leaves at once, so one more is there for a moment, and never two.
        more = 0 if before is not None else 1
        if counts and self._of_users[user] + more > self._most_of_user:
            raise _too_many_of_user(self._most_of_user)
        if self._calls + more > self._most_calls:
            raise _too_many(self._calls, self._most_calls)
        if before is not None:
            before.overtake()
        place = self._latest[user, upload] = Place()
        self._calls += 1
        self._of_users[user] += counts
        try:
            yield place
        finally:
            self._calls -= 1
            self._of_users[user] -= counts
            self._of_users += Counter()  # forgets users without any
            if self._latest.get((user, upload)) is place:
                del self._latest[user, upload]

    @property
    def parts_at_once(self) -> int:
        """How many parts of a call may be written at once now."""
        many = self._calls * (PARTS_AT_ONCE + 1) * MEBIBYTE > self._most_bytes
        return 1 if many else PARTS_AT_ONCE

    @property
    def part_bytes(self) -> int:
        """How large parts are now."""
        share = self._most_bytes // ((self.parts_at_once + 1) * max(self._calls, 1))
        return max(MEBIBYTE, min(PART_BYTES, share))


def _too_many_of_user(limit: int) -> RateLimited:
    """As the gateway says it of transfers over HTTP."""
    return RateLimited(
        Reason.REASON_UPLOAD_LIMIT,
        f"{limit} uploads at once are allowed; wait for another one to end",
        retryable=False,
        limit=limit,
    )


def _too_many(calls: int, limit: int) -> RateLimited:
    return RateLimited(
        Reason.REASON_UPLOAD_LIMIT,
        f"{calls} uploads are under way here; try again in a moment",
        retry_after=1.0,
        limit=limit,
    )
