"""The self-test: what a jail lets through is noticed, however the program ends."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from servers.code_execution import self_test
from servers.code_execution.jails import Machine
from servers.runtime.jail.errors import NoJail
from tests.code_execution.holding import CPYTHON, LIMITS, MONTY, Prison, prison


@pytest_asyncio.fixture(scope="module")
async def held(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prison]:
    """Both runners."""
    machine = await asyncio.to_thread(Machine.found, (MONTY, CPYTHON))
    async with prison(machine, tmp_path_factory.mktemp("canary"), warm=1) as here:
        yield here


async def test_jails_that_hold_pass(held: Prison) -> None:
    """Both."""
    for runner in held.runners.values():
        await self_test.prove(runner, LIMITS, Path("/root"))


@pytest.mark.parametrize(
    ("attempts", "program", "said"),
    [
        ("MONTY_BREAKOUT", "['list the root']", 'could \\["list the root"\\]'),
        ("MONTY_BREAKOUT", "found = ['list the root']\n[0] * memory", "come to its end"),
        ("MONTY_MEMORY", "['take memory']", 'could \\["take memory"\\]'),
        ("MONTY_MEMORY", "1 / 0", "come to its end.*ZeroDivisionError"),
    ],
)
async def test_what_monty_lets_through_is_named(
    held: Prison, monkeypatch: pytest.MonkeyPatch, attempts: str, program: str, said: str
) -> None:
    """Running out of memory is an end for the attempt to do so alone."""
    monkeypatch.setattr(self_test, attempts, program)
    with pytest.raises(NoJail, match=f"(?s){said}"):
        await self_test.prove(held.runners[MONTY], LIMITS, Path("/root"))


async def test_cpython_has_no_excuse_in_memory_either(
    held: Prison, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What was found before is not known then."""
    program = tmp_path / "breakout.py"
    program.write_text("found = ['connect']\n'x' * 10 * memory\nfound")
    monkeypatch.setattr(self_test, "BREAKOUT", program)
    with pytest.raises(NoJail, match="come to its end"):
        await self_test.prove(held.runners[CPYTHON], LIMITS, Path("/root"))
