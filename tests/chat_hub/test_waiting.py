"""One timer bounds every wait of a task."""

import asyncio
import math

import pytest

from servers.chat_hub.waiting import Waiting


async def test_what_comes_in_time_is_given() -> None:
    """However often, under the one timer."""
    waiting = Waiting()
    for number in range(3):
        assert await waiting.wait(asyncio.sleep(0, number), 30) == number
    waiting.close()


async def test_a_wait_that_takes_too_long_ends_late() -> None:
    """What was awaited is cancelled, the task is not."""
    waiting, awaited = Waiting(), asyncio.Event()
    await waiting.wait(asyncio.sleep(0), 30)
    with pytest.raises(TimeoutError):
        await waiting.wait(awaited.wait(), 0.02)
    assert waiting.late
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_each_wait_has_the_whole_time() -> None:
    """A limit moves on with the next wait; the timer follows when it looks."""
    waiting = Waiting()
    await waiting.wait(asyncio.sleep(0), 0.2)
    assert await waiting.wait(asyncio.sleep(0.3, "in time"), 30) == "in time"
    waiting.close()


async def test_time_between_waits_does_not_count() -> None:
    """Nothing is awaited, so nothing is late."""
    waiting = Waiting()
    await waiting.wait(asyncio.sleep(0), 0.2)
    await asyncio.sleep(0.3)
    assert await waiting.wait(asyncio.sleep(0, "in time"), 30) == "in time"
    waiting.close()


async def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    """It is not taken for lateness."""
    waiting = Waiting()
    task = asyncio.create_task(waiting.wait(asyncio.Event().wait(), 30))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not waiting.late
    waiting.close()


async def test_a_wait_inside_another_leaves_it_its_limit() -> None:
    """The outer limit ends both, and only the outer one is late."""
    outer, inner = Waiting(), Waiting()
    with pytest.raises(TimeoutError):
        await outer.wait(inner.wait(asyncio.Event().wait(), math.inf), 0.02)
    assert outer.late
    assert not inner.late
