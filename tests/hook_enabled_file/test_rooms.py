"""The room of the readers while it opens, and when it is lost."""

import asyncio
import os
from contextlib import suppress

import psutil
from prometheus_client import REGISTRY

from kari.conversation_models.v1.file_pb2 import File
from servers.hook_enabled_file import rooms
from servers.hook_enabled_file.archives import Archives
from servers.hook_enabled_file.hooks import FAILED, PASSED, Looked, Outcome
from servers.hook_enabled_file.trying import Trying
from servers.runtime.limited import BytesSource
from tests.hook_enabled_file import samples
from tests.hosting import until


def starts() -> float:
    """Processes for readers that were started."""
    labels = {"room": "hook_enabled_file"}
    return REGISTRY.get_sample_value("kari_chat_limited_starts_total", labels) or 0.0


async def test_who_does_not_wait_leaves_it_to_others() -> None:
    """A health check that gives up must not end the process for which files wait."""
    room, before = rooms.opened(), starts()
    for _ in range(3):
        waiting = asyncio.create_task(rooms.held(room).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
    async with rooms.held(room):
        assert await rooms.room_unavailable(room) == ""
        assert starts() == before + 1


class Fatal(BytesSource):
    """A file at whose first readings all processes of readers are killed, as where there is no
    memory left for them."""

    def __init__(self, times: int) -> None:
        super().__init__(samples.zipped({"a.txt": b"words"}))
        self.left = times

    async def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on."""
        if self.left:
            self.left -= 1
            for child in psutil.Process(os.getpid()).children():
                if "servers.hook_enabled_file.reading.archives" in child.cmdline():
                    child.kill()
                    await until(lambda child=child: gone(child))
        return await super().read(offset, length)


async def gone(process: psutil.Process) -> bool:
    """Whether a process is no more."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def tried(source: Fatal, times: int) -> Outcome:
    """What a guard says of a file after so many further attempts."""
    room = rooms.opened()
    async with rooms.held(room):
        looked = Looked(File(id="file_1", name="a.zip"), source, "t")
        return await Trying(lambda _: [0.0] * times).look(Archives(room), looked)


async def test_a_lost_room_says_nothing_of_the_file_under_way() -> None:
    """A guard looks at it again."""
    assert (await tried(Fatal(1), times=3)).verdict == PASSED


async def test_a_file_that_takes_the_room_along_comes_to_its_end() -> None:
    """After the last attempt."""
    outcome = await tried(Fatal(100), times=2)
    assert outcome.verdict == FAILED
    assert outcome.explanation.startswith("files cannot be read at the moment")
