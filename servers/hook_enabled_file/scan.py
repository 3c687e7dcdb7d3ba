"""The hook `scan`: YARA rules, and ClamAV where it is configured."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from servers.hook_enabled_file.clamav import ClamAV
from servers.hook_enabled_file.hooks import GUARD, PASSED, REFUSED, Away, Looked, Outcome
from servers.hook_enabled_file.rooms import READING, limits, room_unavailable
from servers.runtime.limited import Room


@dataclass(frozen=True)
class Scan:
    """Refuses what rules or ClamAV know as hostile."""

    room: Room
    seconds: float = 60.0
    rules: str = ""
    """Further rules, as text."""
    clamav: ClamAV | None = None
    name: str = "scan"
    kind = GUARD
    description = "Looks for malware by YARA rules, and with ClamAV where it is configured."

    async def unavailable(self) -> str:
        """Without its process, or while ClamAV is away: files wait for it then."""
        try:
            if self.clamav is not None:
                await self.clamav.ping()
        except Away as away:
            return f"{away}; see `hooks.scan.clamav` of files.toml"
        return await room_unavailable(self.room)

    def skips(self, looked: Looked) -> str:
        """Nothing is let past."""
        return ""

    def listens(self, looked: Looked) -> bool:
        """No recordings are listened to."""
        return False

    async def look(self, looked: Looked) -> Outcome:
        """Refuses a file that anything matches."""
        asked = {"name": looked.file.name, "carried": ["scan"], "rules": self.rules}
        found = await matches(self.room, looked, asked, self.seconds)
        if found:
            return Outcome(
                REFUSED,
                "; ".join(found.values())[:900],
                record={"rules": ", ".join(found)[:900], "scanner": "yara"},
            )
        if self.clamav is not None:
            signature = await self.clamav.scan(looked.source)
            if signature:
                return Outcome(
                    REFUSED,
                    "the virus scanner knows it as malware",
                    record={"rules": signature[:900], "scanner": "clamav"},
                )
        return Outcome(PASSED)


async def matches(
    room: Room, looked: Looked, asked: Mapping[str, object], seconds: float
) -> dict[str, str]:
    """Rules that match a file, with their reasons. JobFailed if it could not be looked through."""
    found = dict[str, str]()
    bounds = limits(seconds, looked.source.size)
    job = room.run(f"{READING}.scanning:scan", looked.source, json.dumps(asked).encode(), bounds)
    async for piece in job:
        match = json.loads(piece)
        found[match["rule"]] = match["reason"]
    return found
