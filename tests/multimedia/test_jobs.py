"""Jobs: what is told of those that do not end well, and when their processes are there."""

import asyncio
from contextlib import aclosing, suppress

import grpc
import psutil
import pytest
from prometheus_client import REGISTRY

from kari.errors.v1.errors_pb2 import Reason
from kari.multimedia.v1.multimedia_pb2 import DescribeRequest
from servers.multimedia.configuration import Media as MediaLimits
from servers.multimedia.jobs import Jobs
from servers.multimedia.said import SightWish
from servers.runtime.limited import BytesSource
from servers.runtime.limited.zygote_process import COMMAND
from tests.hosting import until
from tests.multimedia.media import Media
from tests.multimedia.samples import drawn, filmed, recorded, saved
from tests.multimedia.test_images import refusal

PICTURE = BytesSource(saved(drawn("Hi", size=(60, 40))))
WISH = SightWish(longest_side=32, most_bytes=100_000, most_pixels=1_000_000)


def zygotes() -> list[psutil.Process]:
    """Those of this process that run."""
    return [process for process in psutil.Process().children() if is_zygote(process)]


def is_zygote(process: psutil.Process) -> bool:
    """False as well for one that ends while it is looked at."""
    with suppress(psutil.NoSuchProcess):
        running = process.status() != psutil.STATUS_ZOMBIE
        return running and process.cmdline()[2:3] == [COMMAND[2]]
    return False


async def sights(jobs: Jobs) -> int:
    """How many pictures a job gave."""
    async with aclosing(jobs.sight(PICTURE, WISH, 5)) as said:
        return len([each async for each in said])


async def test_processes_are_there_when_they_are_wanted() -> None:
    """They start with the first file, end when nobody comes, and start again."""
    before = len(zygotes())
    async with Jobs(MediaLimits(ocr=False, idle_seconds=0.2)).opened() as jobs:
        assert len(zygotes()) == before
        closing = asyncio.create_task(jobs.close_when_idle())
        for _ in range(2):
            assert await sights(jobs) == 1

            async def closed() -> bool:
                return len(zygotes()) == before

            await until(closed)
        closing.cancel()
        with suppress(asyncio.CancelledError):
            await closing
    await jobs.ping()


async def test_a_killed_process_is_replaced() -> None:
    known = {process.pid for process in zygotes()}
    async with Jobs(MediaLimits(ocr=False)).opened() as jobs:
        assert await sights(jobs) == 1
        (mine,) = [process for process in zygotes() if process.pid not in known]
        mine.kill()

        async def works_again() -> bool:
            with suppress(Exception):
                return await sights(jobs) == 1
            return False

        await until(works_again)
        await jobs.ping()


async def test_who_leaves_takes_the_job_along(media: Media) -> None:
    """And others are served."""
    file = await media.files.upload(filmed(("A", "B"), 20, (640, 480)))
    call = media.stub.Describe(DescribeRequest(file_id=file.id, ocr=True))
    waiting = asyncio.create_task(anext(aiter(call)))
    await asyncio.sleep(0)
    call.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    assert (await media.describe(saved(drawn("Next")))).facts["width"] == 900

    async def none_runs() -> bool:
        return not REGISTRY.get_sample_value("kari_chat_limited_jobs_running", {"room": "media"})

    await until(none_runs)


async def test_what_becomes_of_files_is_counted(media: Media) -> None:
    def count(kind: str, outcome: str) -> float:
        labels = {"kind": kind, "outcome": outcome}
        return REGISTRY.get_sample_value("kari_chat_media_files_total", labels) or 0.0

    read, broken = count("recording", "read"), count("image", "broken")
    await media.describe(recorded(0.2))
    assert (await refusal(media, saved(drawn("Cut"))[:3000]))[0] == Reason.REASON_FILE_BROKEN
    assert count("recording", "read") == read + 1
    assert count("image", "broken") == broken + 1


@pytest.mark.parametrize("file_id", ["", "../../etc/passwd", "file_" + "0" * 31])
async def test_an_id_that_is_none_is_a_validation_error(media: Media, file_id: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await media.told(file_id)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
