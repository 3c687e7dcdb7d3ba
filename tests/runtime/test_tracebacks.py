"""Where an exception came from, and nothing of what it says."""

import asyncio

from servers.runtime.tracebacks import MOST_EXCEPTIONS, without_text

SECRET = "4711 of a user"


def fails() -> None:
    raise ValueError(SECRET)


def fails_because() -> None:
    try:
        fails()
    except ValueError as cause:
        raise KeyError(SECRET) from cause


async def fail_together() -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.to_thread(fails_because))
        tasks.create_task(asyncio.Event().wait())


async def raised_by_several() -> BaseException:
    try:
        await fail_together()
    except BaseExceptionGroup as group:
        return group
    raise AssertionError


async def test_causes_and_members_of_groups_are_told_by_type_and_place() -> None:
    """The first cause first."""
    told = without_text(await raised_by_several())
    assert SECRET not in told
    assert "test_tracebacks.py" in told
    places = [told.index(name) for name in ("ValueError", "KeyError", "ExceptionGroup")]
    assert places == sorted(places)
    assert "in fails\n" in told


def test_a_circle_of_causes_has_an_end() -> None:
    """And so has a long row of them."""
    one, other = ValueError(SECRET), KeyError(SECRET)
    one.__cause__, other.__cause__ = other, one
    assert without_text(one) == "builtins.KeyError\nled to\nbuiltins.ValueError"
    row: BaseException = Exception(SECRET)
    for _ in range(100):
        outer = Exception(SECRET)
        outer.__context__ = row
        row = outer
    assert without_text(row).count("Exception") == MOST_EXCEPTIONS
