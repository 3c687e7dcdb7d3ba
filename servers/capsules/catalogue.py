"""Which capsules there are: found in folders, looked at again when something in them changes.

A folder that was changed into something broken is unavailable and says why. Its last good version
is not kept: what runs is what lies there, or nothing.
"""

import asyncio
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge

from servers.capsules.folder import Stamp, read_plain, stamp_of
from servers.capsules.manifest import FILE, HANDLER, BrokenCapsule
from servers.capsules.signature import TrustedKeys
from servers.capsules.version import Handler, Version, read_version

LOOK_SECONDS = 1.0
FIRST_SECONDS = 3.0
AT_ONCE = 2
"""Handlers that are tried at the same time."""
MOST_CAPSULES = 500
LONGEST_MANIFEST = 100_000
"""Bytes of a broken one in which its id is looked for."""
DEFECT = "it cannot be looked at, by a fault of Kari's; the server's log has the cause"

KNOWN = Gauge("kari_capsules", "Capsules by whether they can be run.", ("available",))
CHANGES = Counter("kari_capsule_changes_total", "Capsules that came, changed or went.", ("what",))

log = structlog.get_logger("kari.capsules")


@dataclass(frozen=True)
class Entry:
    """A folder. `version` and `handler` are None, and `wrong` says why, if it cannot be run."""

    id: str
    folder: Path
    built_in: bool
    stamp: Stamp
    version: Version | None = None
    handler: Handler | None = None
    wrong: str = ""


@dataclass(frozen=True)
class Place:
    """A folder in which capsules are, or that is one. `handler` makes what runs a version's code,
    `signed` says whether each needs a signature, `expected` whether it should be there."""

    folder: Path
    built_in: bool
    handler: Callable[[str, Version], Handler]
    keys: TrustedKeys
    signed: bool = False
    expected: bool = True


class Catalogue:
    """The capsules of some places; of two with the same id the first one counts. `taken` is told
    the id of each that came or changed."""

    def __init__(
        self,
        places: Sequence[Place],
        taken: Callable[[str], None] = lambda _: None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._places = places
        self._taken = taken
        self._look_seconds = look_seconds
        self._entries: dict[Path, Entry] = {}
        self._trying = asyncio.Semaphore(AT_ONCE)
        self._missing: set[Path] = set()
        self._lock = asyncio.Lock()
        self._first: asyncio.Task[None] | None = None

    def all(self) -> list[Entry]:
        """All of them, those of equal ids in the order of their places."""
        return sorted(_first_of_each_id(self._entries.values()), key=lambda entry: entry.id)

    def find(self, capsule_id: str) -> Entry | None:
        """The one that counts; None if there is none."""
        return next((e for e in self._entries.values() if e.id == capsule_id), None)

    async def run(self) -> None:
        """Looks for changes, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self._look_seconds)

    async def first_look(self) -> None:
        """Takes in those that need no process of their own, and the others if that does not take
        long: one that hangs keeps nobody waiting."""
        async with self._lock:
            await self._look([place for place in self._places if place.built_in])
        self._first = asyncio.create_task(self.look())
        self._first.add_done_callback(_log_failure)
        await asyncio.wait({self._first}, timeout=FIRST_SECONDS)

    async def look(self) -> None:
        """Takes in what changed since the last look; returns when all of it was tried."""
        async with self._lock:
            await self._look(self._places)

    async def close(self) -> None:
        """Ends a look that is under way."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.wait({self._first})

    async def _look(self, places: Sequence[Place]) -> None:
        found = await asyncio.to_thread(self._found, places)
        entries = dict[Path, Entry]()
        changed = list[tuple[Place, Path]]()
        for place, folder, stamp in found:
            known = self._entries.get(folder)
            if known is None or known.stamp != stamp:
                changed.append((place, folder))
                known = await asyncio.to_thread(_read, place, folder, stamp)
            entries[folder] = known
        for folder in self._entries.keys() - entries.keys():
            log.info("a capsule is gone", folder=str(folder))
            CHANGES.labels("gone").inc()
        self._entries = entries
        await asyncio.gather(*(self._try(place, folder) for place, folder in changed))
        self._count()

    def _found(self, places: Sequence[Place]) -> list[tuple[Place, Path, Stamp]]:
        found = list[tuple[Place, Path, Stamp]]()
        for place in places:
            found += [(place, folder, stamp_of(folder)) for folder in self._folders(place)]
        return found[:MOST_CAPSULES]

    def _folders(self, place: Place) -> list[Path]:
        try:
            if (place.folder / FILE).exists():
                return [place.folder]
            entries = list(place.folder.iterdir())
        except OSError as error:
            expected = place.expected or not isinstance(error, FileNotFoundError)
            if expected and place.folder not in self._missing:
                self._missing.add(place.folder)
                reason = error.strerror
                log.warning("no folder of capsules", folder=str(place.folder), error=reason)
            return []
        self._missing.discard(place.folder)
        inside = sorted(f for f in entries if not f.name.startswith((".", "__")))
        return [folder for folder in inside if _may_be_one(folder)]

    async def _try(self, place: Place, folder: Path) -> None:
        """Makes what runs a version, and sees whether it can."""
        entry = self._entries[folder]
        if entry.version is not None:
            handler = place.handler(folder.name, entry.version)
            async with self._trying:
                wrong = await _checked(handler)
            entry = replace(entry, handler=None if wrong else handler, wrong=wrong)
            self._entries[folder] = entry
        self._taken(entry.id)
        CHANGES.labels("broken" if entry.wrong else "taken").inc()
        log.info("a capsule was read", capsule=entry.id, folder=str(folder), wrong=entry.wrong)

    def _count(self) -> None:
        usable = sum(not entry.wrong for entry in self.all())
        KNOWN.labels("yes").set(usable)
        KNOWN.labels("no").set(len(self._entries) - usable)


def _log_failure(first: "asyncio.Task[None]") -> None:
    if not first.cancelled() and (failure := first.exception()) is not None:
        log.error("capsules cannot be looked for; it is tried again", exc_info=failure)


def _may_be_one(folder: Path) -> bool:
    """Whether it looks like a capsule. What cannot be looked into does: reading it tells why."""
    try:
        return (folder / FILE).exists() or (folder / HANDLER).exists()
    except OSError:
        return True


async def _checked(handler: Handler) -> str:
    try:
        return await handler.check()
    except Exception as defect:  # ours: the others are served
        log.error("a capsule cannot be looked at", exc_info=defect)
        return DEFECT


def _told(message: str) -> str:
    """A message that can be sent: names of files may be no UTF-8."""
    return message.encode(errors="backslashreplace").decode()


def _read(place: Place, folder: Path, stamp: Stamp) -> Entry:
    unread = Entry("", folder, place.built_in, stamp)
    try:
        version = read_version(folder, place.keys, signed=place.signed)
    except BrokenCapsule as error:
        return replace(unread, id=_id_of(folder), wrong=_told(str(error)))
    except OSError as error:
        return replace(unread, id=_id_of(folder), wrong=f"cannot be read: {error.strerror}")
    except Exception as defect:  # ours: the others are served
        log.error("a capsule cannot be read", folder=str(folder), exc_info=defect)
        return replace(unread, id=_id_of(folder), wrong=DEFECT)
    waits = "it is being looked at; try again in a moment"
    return replace(unread, id=version.manifest.id, version=version, wrong=waits)


def _id_of(folder: Path) -> str:
    """Of a broken one, what it calls itself if that can be told, else after its folder."""
    try:
        text = read_plain(folder / FILE, LONGEST_MANIFEST).decode()
        found = tomllib.loads(text).get("id")
    except (OSError, ValueError, RecursionError, BrokenCapsule):
        found = None
    if isinstance(found, str) and found.startswith("capsule.") and len(found) <= 100:
        return found
    return _told(f"capsule.{folder.name}")


def _first_of_each_id(entries: Iterable[Entry]) -> list[Entry]:
    """Those behind the first of an id say that it is taken."""
    firsts, found = dict[str, Entry](), list[Entry]()
    for entry in entries:
        first = firsts.setdefault(entry.id, entry)
        if first is not entry:
            taken = f"the id is taken by {'a built-in one' if first.built_in else first.folder}"
            entry = replace(entry, version=None, handler=None, wrong=taken)
        found.append(entry)
    return found
