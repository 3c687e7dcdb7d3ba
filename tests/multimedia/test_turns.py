"""Turns: whose it is, and what is left of the time of a call by then."""

import asyncio

import pytest

from kari.errors.v1.errors_pb2 import Reason
from servers.multimedia.configuration import Media as MediaLimits
from servers.multimedia.jobs import Jobs, Queue
from servers.multimedia.turns import Turn, taken
from servers.runtime.call import Call, acting
from servers.runtime.errors import RateLimited
from servers.runtime.ids import new_correlation_id

LONG = 540.0


def calling(seconds: float) -> Call:
    """A call that ends in so many seconds."""
    return Call(new_correlation_id(), deadline=asyncio.get_running_loop().time() + seconds)


def recording(least: float = LONG) -> Turn:
    """One that takes long."""
    return Turn(Queue.RECORDINGS, LONG, least, margin=20)


async def test_seconds_are_counted_from_the_turn_on() -> None:
    """A recording that waited is at its end before its call is."""
    jobs = Jobs(MediaLimits(ocr=False, jobs=2))
    call = calling(300)
    with acting(call):
        waiting = asyncio.Event()

        async def second() -> float:
            waiting.set()
            async with taken(jobs, recording(least=1)) as seconds:
                return seconds

        async with taken(jobs, recording()) as whole:
            assert whole > 270
            task = asyncio.create_task(second())
            await waiting.wait()
            await asyncio.sleep(0.05)
            left = call.remaining()
        assert left is not None
        assert await task <= left - 20


async def test_who_would_have_too_little_time_is_told_to_come_again() -> None:
    """Rather than cut: what it does is done whole, or not begun."""
    jobs = Jobs(MediaLimits(ocr=False, jobs=2))
    with acting(calling(560)):
        async with taken(jobs, recording()):
            with pytest.raises(RateLimited) as busy:
                async with taken(jobs, recording()):
                    raise AssertionError("it has a place")
        assert busy.value.reason == Reason.REASON_MEDIA_BUSY
        assert busy.value.retry_after
        async with taken(jobs, recording()) as seconds:
            assert seconds > 500


async def test_an_image_does_not_wait_for_recordings() -> None:
    """Neither for the one that is listened to, nor for those behind it."""
    jobs = Jobs(MediaLimits(ocr=False, jobs=2))
    with acting(calling(600)):
        async with taken(jobs, recording()):
            behind = asyncio.create_task(_takes(jobs))
            await asyncio.sleep(0)
            async with taken(jobs, Turn(Queue.IMAGES, 60, 60, margin=20)) as seconds:
                assert seconds == 60
            assert not behind.done()
        await behind


async def test_what_a_turn_waits_for_does_not_wait_for_what_is_read() -> None:
    """All places for reading are taken, and images for models have theirs."""
    jobs = Jobs(MediaLimits(ocr=False, jobs=2))
    with acting(calling(2)):
        reading = Turn(Queue.IMAGES, 60, 1, margin=0)
        async with taken(jobs, reading), taken(jobs, reading):
            async with taken(jobs, Turn(Queue.SIGHTS, 20, 1, margin=0)) as seconds:
                assert seconds > 0
            with pytest.raises(RateLimited):
                async with taken(jobs, reading):
                    raise AssertionError("it has a place")


async def _takes(jobs: Jobs) -> None:
    async with taken(jobs, recording()):
        pass
