"""How much memory the calls that bring bytes may take together. Pure."""

from collections.abc import Iterator
from contextlib import contextmanager

from kari.errors.v1.errors_pb2 import Reason
from servers.file_attachment.parts import PART_BYTES
from servers.runtime.errors import RateLimited

MEBIBYTE = 1024 * 1024
MOST_CALLS = 128
MOST_BYTES = 256 * MEBIBYTE
"""Of all calls together: each holds the parts that are written and one that comes."""
PARTS_AT_ONCE = 2


class Room:
    """The more calls there are, the smaller their parts."""

    def __init__(self, most_calls: int = MOST_CALLS, most_bytes: int = MOST_BYTES) -> None:
        self._most_calls = most_calls
        self._most_bytes = most_bytes
        self._calls = 0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Holds the place of a call; RateLimited if there is none."""
        if self._calls >= self._most_calls:
            raise RateLimited(
                Reason.REASON_UPLOAD_LIMIT,
                f"{self._calls} uploads are under way here; try again in a moment",
                retry_after=1.0,
                limit=self._most_calls,
            )
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

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
