"""What waits for one watcher.

News of the same thing replace each other, so that only the latest state is told. What is full drops
typing, which will be over soon; if that does not help the reader is too slow, and says so, since
nothing else may be lost. Pure.
"""

from kari.chat_hub.v1.chat_hub_pb2 import WatchResponse

MOST = 256

Key = tuple[str, ...]


class Mailbox:
    """A queue for one user. `overflowed` says that something could not be kept."""

    def __init__(self, user_id: str, most: int = MOST) -> None:
        self._user_id = user_id
        self._most = most
        self._waiting: dict[Key, WatchResponse] = {}
        self.overflowed = False

    def put(self, event: WatchResponse) -> bool:
        """Adds an event; false if it is not for this user: nobody is told of their own typing and
        presence."""
        if _whose(event) == self._user_id:
            return False
        key = _key(event)
        self._waiting.pop(key, None)
        self._waiting[key] = event
        if len(self._waiting) > self._most:
            self._drop_typing()
        return True

    def take(self) -> WatchResponse | None:
        """The event that has waited longest; None if there is none."""
        if not self._waiting:
            return None
        return self._waiting.pop(next(iter(self._waiting)))

    def _drop_typing(self) -> None:
        oldest = next((key for key in self._waiting if key[0] == "typing"), None)
        if oldest is None:
            self.overflowed = True
        else:
            del self._waiting[oldest]


def _whose(event: WatchResponse) -> str:
    kind = event.WhichOneof("event")
    return getattr(event, kind).user_id if kind in ("typing", "presence") else ""


def _key(event: WatchResponse) -> Key:
    """What an event is about."""
    kind = event.WhichOneof("event") or ""
    match kind:
        case "typing" | "presence":
            about = getattr(event, kind)
            return kind, about.conversation_id, about.user_id
        case "turn_started":
            return kind, event.turn_started.turn_id
        case "conversation_changed":
            return kind, event.conversation_changed.conversation_id
        case _:
            return (kind, str(event.degraded.feature))
