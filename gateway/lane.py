"""The order of a socket's messages: the next goes to the hub when the one before is answered.

Without it two messages sent in a row could overtake each other on their way. The places are
bounded, so that a client cannot park messages here without end. Pure.
"""

from gateway.actions import Ask

PLACES = 32


class Lane:
    """Messages under way and waiting, the oldest first; only the oldest is under way."""

    def __init__(self) -> None:
        self._asks: list[Ask] = []

    @property
    def busy(self) -> bool:
        """True while a message is under way."""
        return bool(self._asks)

    @property
    def full(self) -> bool:
        """True if no more messages can wait."""
        return len(self._asks) >= PLACES

    def enter(self, ask: Ask) -> list[Ask]:
        """Queues a message; gives those to send now."""
        self._asks.append(ask)
        return [ask] if len(self._asks) == 1 else []

    def leave(self) -> list[Ask]:
        """The message under way is answered; gives those to send now."""
        del self._asks[0]
        return [self._asks[0]] if self._asks else []
