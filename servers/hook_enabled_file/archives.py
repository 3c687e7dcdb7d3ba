"""The hook `archives`: no bombs, nothing hidden."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from servers.hook_enabled_file.hooks import GUARD, PARTIAL, PASSED, REFUSED, Looked, Outcome
from servers.hook_enabled_file.rooms import READING, limits, room_unavailable
from servers.runtime.limited import Room

START_BYTES = 512
_BEGINNINGS = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf"),
    *(b"Rar!", b"\x28\xb5\x2f\xfd", b"MSCF\0\0\0\0"),
)


@dataclass(frozen=True)
class Archives:
    """Refuses archives that unpack to too much, or into which nobody can look."""

    room: Room
    seconds: float = 120.0
    bounds: Mapping[str, object] = field(default_factory=dict)
    """Fields of `reading.archives.Limits` that are not the default."""
    name: str = "archives"
    kind = GUARD
    description = "Refuses archives that unpack to too much, and looks for malware within them."

    async def unavailable(self) -> str:
        """Without its process for readers."""
        return await room_unavailable(self.room)

    def skips(self, looked: Looked) -> str:
        """What it is shows at its beginning alone, which `look` reads."""
        return ""

    async def look(self, looked: Looked) -> Outcome:
        """Refuses an archive that it may not let through."""
        start = await looked.source.read(0, START_BYTES)
        if not start.startswith(_BEGINNINGS) and start[257:262] != b"ustar":
            return Outcome(PASSED)
        found = json.loads(
            await self.room.whole(
                f"{READING}.archives:look",
                looked.source,
                json.dumps(dict(self.bounds)).encode(),
                limits(self.seconds, looked.source.size),
            )
        )
        if found["refused"]:
            return Outcome(REFUSED, found["refused"])
        notes = "; ".join(dict.fromkeys(found["notes"]))
        verdict = PARTIAL if notes else PASSED
        return Outcome(verdict, notes, record={"files": str(found["files"])})
