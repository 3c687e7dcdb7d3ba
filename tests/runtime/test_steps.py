"""Steps of streams wait for nothing, until the event loop is late."""

import asyncio

from servers.runtime.steps import Steps


def is_made_at_once(steps: Steps) -> bool:
    """Whether the next step waits for nothing."""
    step = steps.next()
    try:
        step.send(None)
    except StopIteration:
        return True
    step.close()
    return False


async def be_quiet() -> None:
    """Returns when no stream of this loop was asked for a while."""
    lateness = Steps()._lateness
    while lateness._looking:
        await asyncio.sleep(0.01)


def be_late(steps: Steps) -> None:
    """As if the loop had been late for a second."""
    for _ in range(50):
        steps._lateness.pace().note(1.0, 1.0)


async def test_while_the_loop_keeps_up_every_step_is_made_at_once() -> None:
    """A lone reader sees each token when it comes."""
    await be_quiet()
    steps = Steps()
    assert all(is_made_at_once(steps) for _ in range(5))


async def test_while_the_loop_is_late_the_first_step_is_made_and_the_next_one_waits() -> None:
    """The first word never waits."""
    steps = Steps()
    be_late(steps)
    assert is_made_at_once(steps)
    assert not is_made_at_once(steps)


async def test_lateness_is_forgotten_when_nobody_streams_any_more() -> None:
    """The next stream is not slowed down by a load that is over."""
    be_late(Steps())
    await be_quiet()
    steps = Steps()
    assert all(is_made_at_once(steps) for _ in range(5))


async def test_the_streams_of_a_loop_share_what_is_known_of_it() -> None:
    """One look serves all."""
    assert Steps()._lateness is Steps()._lateness


async def test_nothing_looks_while_nobody_streams() -> None:
    """An idle process stays idle."""
    lateness = Steps()._lateness
    lateness.pace()
    await be_quiet()
    lateness.pace()
    assert lateness._looking
