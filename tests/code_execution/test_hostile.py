"""Hostile programs are held, by both runners, as root and as an ordinary user."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from typing import TypeAlias

import pytest
import pytest_asyncio

from kari.code_execution.v1.code_execution_pb2 import Runner
from servers.code_execution.jails import Machine
from servers.runtime.jail.command import NOBODY
from tests.code_execution.holding import CASES, CPYTHON, MONTY, Case, prison
from tests.code_execution.hostile import Hostile, known_here

Held: TypeAlias = Mapping[Case, asyncio.Task[list[str]]]


def named(case: Case) -> object:
    """A case as a parameter: what must not happen is its name."""
    kind, each = case
    name = f"{Runner.Name(kind)[7:].lower()}: {each.name} must not {each.must_not}"
    elsewhere = pytest.mark.skipif(not known_here(each), reason=f"only {each.machine} knows it")
    return pytest.param(kind, each, id=name, marks=elsewhere)


@pytest_asyncio.fixture(scope="module")
async def held(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Held]:
    """One prison for all of them, and some at once: what one does must not be felt by others."""
    machine = await asyncio.to_thread(Machine.found, (MONTY, CPYTHON))
    here_only = [item for item in request.session.items if item.path == request.path]
    chosen = [getattr(item, "callspec", None) for item in here_only]
    given = [each.params for each in chosen if each is not None]
    async with prison(machine, tmp_path_factory.mktemp("canary"), warm=3) as here:
        tasks = here.holding((each["kind"], each["hostile"]) for each in given)
        yield tasks
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.parametrize(("kind", "hostile"), [named(each) for each in CASES])
async def test_it_is_held(held: Held, kind: Runner.ValueType, hostile: Hostile) -> None:
    """What must not happen stands beside each program."""
    assert await held[kind, hostile] == []


@pytest.mark.timeout(600)
@pytest.mark.skipif(os.geteuid() != 0, reason="the tests above ran as an ordinary user")
async def test_they_are_held_as_an_ordinary_user_too() -> None:
    """All of them, with nobody's rights. Nobody cannot enter pytest's own folder."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        command = [sys.executable, "-m", "tests.code_execution.as_nobody", folder]
        ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    known = sum(known_here(each) for _, each in CASES)
    assert (ran.returncode, ran.stdout) == (0, f"{known} held\n"), ran.stderr
