"""What comes together leaves together."""

import asyncio
from collections.abc import Sequence

import pytest

from servers.runtime.gathering import Gathering
from servers.runtime.steps import Steps


class Doubling:
    """Doubles numbers behind a gate, and remembers the groups; fails where there is a zero."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.groups: list[list[int]] = []

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.groups.append(list(numbers))
        await self.gate.wait()
        if 0 in numbers:
            raise ValueError("zero")
        return [number * 2 for number in numbers]


async def asked(gathering: Gathering[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    """Each asked by a task of its own, which has asked when this returns."""
    tasks = [asyncio.create_task(gathering.ask(number)) for number in numbers]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_a_group_is_under_way_is_the_next_one() -> None:
    """And everyone has the answer to what they asked."""
    doubling = Doubling()
    gathering = Gathering(doubling, 10)
    first = await asked(gathering, 1)
    rest = await asked(gathering, 2, 3, 4)
    doubling.gate.set()
    assert await asyncio.gather(*first, *rest) == [2, 4, 6, 8]
    assert doubling.groups == [[1], [2, 3, 4]]


async def test_a_group_is_no_larger_than_it_may_be() -> None:
    """The rest is the next one."""
    doubling = Doubling()
    doubling.gate.set()
    gathering = Gathering(doubling, 2)
    assert await asyncio.gather(*(gathering.ask(n) for n in (1, 2, 3))) == [2, 4, 6]
    assert doubling.groups == [[1, 2], [3]]


async def test_a_failure_is_told_to_all_who_wait_and_to_nobody_after() -> None:
    """Those behind do not wait as long again for what does not answer."""
    doubling = Doubling()
    gathering = Gathering(doubling, 10)
    tasks = [*await asked(gathering, 0), *await asked(gathering, 1)]
    doubling.gate.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in told] == [ValueError, ValueError]
    assert await gathering.ask(5) == 10


async def test_who_goes_away_takes_nothing_from_the_others() -> None:
    """What was asked is done all the same."""
    doubling = Doubling()
    gathering = Gathering(doubling, 10)
    gone, stays = await asked(gathering, 1, 2)
    gone.cancel()
    doubling.gate.set()
    assert await stays == 4
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_closing_cancels_those_who_wait_for_the_next_step() -> None:
    """As well as those whose group is under way; nobody waits for ever."""
    steps = Steps()
    for _ in range(50):
        steps._lateness.pace().note(1.0, 1.0)
    doubling = Doubling()
    doubling.gate.set()
    gathering = Gathering(doubling, 10, steps)
    await asyncio.gather(*await asked(gathering, 1))
    waiting = await asked(gathering, 2, 3)
    assert len(doubling.groups) == 1
    await gathering.close()
    await asyncio.wait(waiting, timeout=5)
    assert all(task.cancelled() for task in waiting)
