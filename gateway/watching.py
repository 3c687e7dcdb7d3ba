"""What one socket watches: the conversations on its screen.

There is one Watch stream a socket. When the list changes it is opened anew; when it is cut it is
opened again for as long as there is something to watch, later each time. Pure.
"""

from collections.abc import Sequence

from gateway.actions import Action, Cause, Open, Stop
from kari.chat_hub.v1.chat_hub_pb2 import WatchRequest
from servers.runtime.errors import KariError

KEY = "watch"
WATCH = "Watch"
FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0


class Watching:
    """The list and the stream that watches it."""

    def __init__(self) -> None:
        self._ids: tuple[str, ...] = ()
        self._cause: Cause | None = None
        self._failures = 0

    def watch(self, conversation_ids: Sequence[str], cause: Cause) -> list[Action]:
        """Watches exactly these from now on."""
        wanted = tuple(dict.fromkeys(conversation_ids))
        if set(wanted) == set(self._ids):
            return []
        stop: list[Action] = [Stop(KEY)] if self._ids else []
        self._ids, self._cause, self._failures = wanted, cause, 0
        return [*stop, self._open(cause, 0.0)] if wanted else stop

    def reopen(self) -> list[Action]:
        """Watches the same anew."""
        if self._cause is None or not self._ids:
            return []
        return [Stop(KEY), self._open(self._cause, 0.0)]

    def heard(self) -> None:
        """Something came: the stream works."""
        self._failures = 0

    def cut(self, error: KariError | None) -> tuple[Action | None, Cause | None]:
        """The stream has ended. The next attempt; or, where none can help, whom to tell."""
        cause = self._cause
        if cause is None or not self._ids:
            return None, None
        if error is not None and not error.may_retry:
            self._ids = ()
            return None, cause
        self._failures += 1
        delay = min(FIRST_DELAY * 2 ** (self._failures - 1), LONGEST_DELAY)
        return self._open(cause, delay), None

    def _open(self, cause: Cause, delay: float) -> Open:
        return Open(KEY, WATCH, WatchRequest(conversation_ids=self._ids), cause, delay)
