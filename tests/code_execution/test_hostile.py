"""Hostile programs are held, by both runners, as root and as an ordinary user."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from kari.code_execution.v1.code_execution_pb2 import Runner
from servers.code_execution.jails import Machine
from servers.runtime.jail.command import NOBODY
from tests.code_execution.holding import CPYTHON, MONTY, Prison, prison
from tests.code_execution.hostile import PROGRAMS, Hostile

CASES = [
    pytest.param(
        kind, each, id=f"{Runner.Name(kind)[7:].lower()}: {each.name} must not {each.must_not}"
    )
    for each in PROGRAMS
    for kind in (CPYTHON, MONTY)
    if kind == CPYTHON or each.monty is not None
]


@pytest_asyncio.fixture(scope="module")
async def held(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prison]:
    """One prison for all of them: what one does must not be felt by the next."""
    machine = await asyncio.to_thread(Machine.found, (MONTY, CPYTHON))
    async with prison(machine, tmp_path_factory.mktemp("canary"), warm=3) as here:
        yield here


@pytest.mark.parametrize(("kind", "hostile"), CASES)
async def test_it_is_held(held: Prison, kind: Runner.ValueType, hostile: Hostile) -> None:
    """What must not happen stands beside each program."""
    assert await held.hold(kind, hostile) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests above ran as an ordinary user")
async def test_they_are_held_as_an_ordinary_user_too() -> None:
    """Every second program, with nobody's rights. Nobody cannot enter pytest's own folder."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        command = [sys.executable, "-m", "tests.code_execution.as_nobody", folder]
        ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
