"""How much a server may send: a bucket that fills with time. Pure.

A server of somebody else's shares the event loop with turns of people; reading a message costs some
ten microseconds, so that this is a few hundredths of a core.
"""

MESSAGES_PER_SECOND = 500.0
BURST = 1000.0
BYTES_OF_A_MESSAGE = 16_384
"""A longer message counts as several."""
LONGEST_MESSAGE = 8 * 1024 * 1024
"""Results come twice in one, as text and as structure."""


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
            raise Flood(f"sent a message of more than {LONGEST_MESSAGE // 1_048_576} MiB")
        self._left = min(BURST, self._left + (now - self._at) * MESSAGES_PER_SECOND)
        self._at = now
        self._left -= 1 + size / BYTES_OF_A_MESSAGE
        if self._left < 0:
            raise Flood(f"sent more than {MESSAGES_PER_SECOND:g} messages a second")
