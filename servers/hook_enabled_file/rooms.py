"""The room in which this server's readers run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from servers.runtime.limited import JobFailed, Limits, Room
from servers.runtime.limited.limits import MEGABYTE

READING = "servers.hook_enabled_file.reading"
MODULES = (
    *(f"{READING}.{name}" for name in ("documents", "pdf", "word", "sheets", "slides", "rich")),
    *(f"{READING}.{name}" for name in ("markup", "mail", "plain", "scanning", "archives", "book")),
    f"{READING}.opendocument",
    f"{READING}.stripping",
    "PIL.Image",
    "PIL.ImageOps",
)
JOBS = 4
BYTES_A_SECOND = 15 * MEGABYTE


def opened() -> Room:
    """A room that holds a few jobs at once."""
    return Room("hook_enabled_file", MODULES, most=JOBS)


@asynccontextmanager
async def held(room: Room) -> AsyncIterator[Room]:
    """The room, ready before it is needed, closed at the end. Who does not wait for it so long
    leaves its process to go on starting: on a busy machine that takes longer than a health check,
    and files wait for the same process."""
    await room.ready()
    try:
        yield room
    finally:
        await room.close()


async def answers(room: Room) -> None:
    """JobFailed if no jobs can be started."""
    await room.ready()


async def room_unavailable(room: Room) -> str:
    """Why readers cannot run, and the way out; empty if they can."""
    try:
        await room.ready()
    except JobFailed as failed:
        return f"{failed.sentence}: no process can be started for them, as the log says"
    return ""


def limits(seconds: float, size: int, memory_megabytes: int = 768) -> Limits:
    """What a job may use over a file of that size, where a small one may take `seconds`."""
    allowed = seconds + size / BYTES_A_SECOND
    return Limits(
        seconds=allowed, cpu_seconds=int(allowed) + 1, memory_bytes=memory_megabytes * MEGABYTE
    )
