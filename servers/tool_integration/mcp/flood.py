"""How much a server may send: a bucket that fills with time. Pure.

A server of somebody else's shares the event loop with turns of people; reading a message costs some
ten microseconds, so that this is a few hundredths of a core.
"""

import re

MESSAGES_PER_SECOND = 500.0
BURST = 1000.0
BYTES_OF_A_MESSAGE = 16_384
"""A longer message counts as several."""
LONGEST_MESSAGE = 8 * 1024 * 1024
"""Results come twice in one, as text and as structure."""
END_OF_EVENT = re.compile(rb"\n\r?\n|\r\r")
"""An empty line, as event streams have it. Where a stream ends lines in several ways it may be
missed, and the next one counts."""
LONGEST_END = 2
"""Of an end that the next piece could complete."""


class Flood(Exception):
    """More than a server may send; the message says it as the end of "the server ..."."""


class Meter:
    """What a server has sent."""

    def __init__(self, now: float) -> None:
        self._left = BURST
        self._at = now

    def note(self, size: int, now: float) -> None:
        """Takes a message of so many bytes; Flood if that is too much in too short a time."""
        if size > LONGEST_MESSAGE:
            raise _too_long()
        self._left = min(BURST, self._left + (now - self._at) * MESSAGES_PER_SECOND)
        self._at = now
        self._left -= 1 + size / BYTES_OF_A_MESSAGE
        if self._left < 0:
            raise Flood(f"sent more than {MESSAGES_PER_SECOND:g} messages a second")


class Length:
    """How long the message is whose pieces come: a whole body, or where events are streamed
    (`events`) the last of them."""

    def __init__(self, *, events: bool) -> None:
        self._events = events
        self._bytes = 0
        self._end = b""

    def note(self, piece: bytes) -> None:
        """Takes a piece; Flood once the message is too long."""
        self._bytes += len(piece)
        if self._events:
            # An end may lie on both sides of the cut between two pieces.
            seen = self._end + piece
            self._end = seen[-LONGEST_END:]
            for end in END_OF_EVENT.finditer(seen):
                self._bytes = len(seen) - end.end()
        if self._bytes > LONGEST_MESSAGE:
            raise _too_long()


def _too_long() -> Flood:
    return Flood(f"sent a message of more than {LONGEST_MESSAGE // 1_048_576} MiB")
