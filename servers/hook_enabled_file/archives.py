"""The hook `archives`: no bombs, nothing hidden."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from servers.hook_enabled_file.hooks import GUARD, PARTIAL, PASSED, REFUSED, Looked, Outcome
from servers.hook_enabled_file.rooms import READING, limits, room_unavailable
from servers.runtime.limited import Room


@dataclass(frozen=True)
class Archives:
    """Refuses archives that unpack to too much, or into which nobody can look."""

    room: Room
    seconds: float = 120.0
    bounds: Mapping[str, object] = field(default_factory=dict)
    """Fields of `reading.counting.Limits` that are not the default."""
    name: str = "archives"
    kind = GUARD
    description = "Refuses archives that unpack to too much, and looks for malware within them."

    async def unavailable(self) -> str:
        """Without its process for readers."""
        return await room_unavailable(self.room)

    def skips(self, looked: Looked) -> str:
        """Nothing: archives may begin anywhere within a file."""
        return ""

    def listens(self, looked: Looked) -> bool:
        """No recordings are listened to."""
        return False

    async def look(self, looked: Looked) -> Outcome:
        """Refuses an archive that it may not let through."""
        found = await looked_into(self.room, looked, self.bounds, self.seconds)
        if found["refused"]:
            return Outcome(REFUSED, found["refused"])
        if not found["kinds"] and not found["files"] and not found["notes"]:
            return Outcome(PASSED)
        notes = "; ".join(dict.fromkeys(found["notes"]))
        verdict = PARTIAL if notes else PASSED
        return Outcome(verdict, notes, record={"files": str(found["files"])})


async def looked_into(
    room: Room, looked: Looked, bounds: Mapping[str, object], seconds: float, **asked: object
) -> dict[str, Any]:
    """What `reading.archives` says of a file. JobFailed if it could not be looked into."""
    request = {
        "name": looked.file.name,
        "content_type": looked.file.content_type,
        "limits": dict(bounds),
        **asked,
    }
    function, source = f"{READING}.archives:look", looked.source
    said = await room.whole(
        function, source, json.dumps(request).encode(), limits(seconds, source.size)
    )
    found: dict[str, Any] = json.loads(said)
    return found
