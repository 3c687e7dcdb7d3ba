"""Hooks that the configuration adds: YARA rules under a name of their own."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from kari.conversation_models.v1.file_pb2 import HookKind
from servers.hook_enabled_file.hooks import GUARD, PASSED, REFUSED, Looked, Outcome
from servers.hook_enabled_file.rooms import room_unavailable
from servers.hook_enabled_file.scan import matches
from servers.runtime.limited import Room


@dataclass(frozen=True)
class Own:
    """A guard refuses what its rules match; another one marks it, in the file's metadata."""

    name: str
    kind: HookKind.ValueType
    room: Room
    rules: str
    description: str = "Rules of this installation."
    types: tuple[str, ...] = ("*",)
    seconds: float = 60.0

    async def unavailable(self) -> str:
        """Without its process for readers."""
        return await room_unavailable(self.room)

    def skips(self, looked: Looked) -> str:
        """Files of other types."""
        if any(fnmatchcase(looked.file.content_type, pattern) for pattern in self.types):
            return ""
        return f"it has nothing to do with files of type {looked.file.content_type}"

    def listens(self, looked: Looked) -> bool:
        """No recordings are listened to."""
        return False

    async def look(self, looked: Looked) -> Outcome:
        """Looks through the bytes."""
        asked: dict[str, object] = {"name": looked.file.name, "rules": self.rules}
        found = await matches(self.room, looked, asked, self.seconds)
        record = {"rules": ", ".join(found)[:900]} if found else {}
        if found and self.kind == GUARD:
            return Outcome(REFUSED, "; ".join(found.values())[:900], record=record)
        marks = {self.name: sorted(found)} if found else {}
        return Outcome(PASSED, "; ".join(found.values())[:400], metadata=marks, record=record)
