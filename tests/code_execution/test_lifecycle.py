"""Workers from their start to their end: nothing is left behind, whoever dies."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from kari.code_execution.v1.code_execution_pb2 import RunOutcome
from servers.code_execution.jails import Machine
from servers.code_execution.program import Program
from tests.code_execution.holding import CPYTHON, LIMITS, MONTY, Prison, prison
from tests.hosting import until

ENDLESS = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
SERVER = """
import asyncio, os, sys, json, psutil
from pathlib import Path
from servers.code_execution.jails import Machine
from servers.code_execution.program import Program
from tests.code_execution.holding import *

async def main():
    machine = Machine.found((MONTY, CPYTHON))
    async with prison(machine, Path(sys.argv[1]), warm=1) as here:
        runs = [asyncio.create_task(here.runners[CPYTHON].run(Program(sys.argv[2], LIMITS))),
                asyncio.create_task(here.runners[MONTY].run(Program("while True: pass", LIMITS)))]
        await asyncio.sleep(2)
        found = psutil.Process().children(recursive=True)
        print(json.dumps([p.pid for p in found]), flush=True)
        await asyncio.gather(*runs)
asyncio.run(main())
"""


@pytest_asyncio.fixture(scope="module")
async def held(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prison]:
    """Both runners."""
    machine = await asyncio.to_thread(Machine.found, (MONTY, CPYTHON))
    async with prison(machine, tmp_path_factory.mktemp("canary")) as here:
        yield here


async def test_a_cancelled_run_ends_with_all_of_its_processes(held: Prison) -> None:
    """At once, and not at its limit."""
    worker = await held.runners[CPYTHON].workers.take()
    first = worker.jailed.first
    assert first is not None
    held.runners[CPYTHON].workers._ready.appendleft(worker)
    run = asyncio.create_task(held.runners[CPYTHON].run(Program(ENDLESS, LIMITS)))
    processes = await until(lambda: tree_of(first, 8))
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await until(lambda: gone(processes))


async def test_a_worker_that_dies_while_it_waits_is_replaced(held: Prison) -> None:
    """And programs go on."""
    workers = held.runners[CPYTHON].workers
    await until(lambda: warm(held, 2))
    worker = workers._ready[0]
    assert worker.jailed.first is not None
    os.kill(worker.jailed.first, signal.SIGKILL)
    await worker.wait()
    result = await held.runners[CPYTHON].run(Program("1 + 1", LIMITS))
    assert result.value_json == "2"
    await until(lambda: warm(held, 2))
    assert worker not in workers._ready


async def test_many_runs_leave_nothing_behind(held: Prison) -> None:
    """Neither descriptors nor processes, zombies among them."""
    await until(lambda: settled(held))
    before = psutil.Process().num_fds(), len(psutil.Process().children())
    for n in range(30):
        kind = MONTY if n % 10 == 0 else CPYTHON
        result = await held.runners[kind].run(Program(f"{n}", LIMITS))
        assert result.outcome == RunOutcome.RUN_OUTCOME_DONE, result
    await until(lambda: settled(held))
    after = psutil.Process().num_fds(), len(psutil.Process().children())
    assert after == before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_server_that_is_killed_leaves_no_process_behind(
    tmp_path: Path, how: signal.Signals
) -> None:
    """Not even those that pay no attention."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER, str(tmp_path), ENDLESS), stdout=PIPE
    )
    assert process.stdout is not None
    found = [psutil.Process(pid) for pid in json.loads(await process.stdout.readline())]
    assert len(found) > 8
    process.send_signal(how)
    await process.wait()
    await until(lambda: gone(found))


async def tree_of(first: int, least: int) -> list[psutil.Process]:
    """The processes of a jail, once there are so many."""
    found = psutil.Process(first).children(recursive=True)
    return found if len(found) >= least else []


async def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs."""
    return not any(process.is_running() for process in processes)


async def warm(held: Prison, count: int) -> bool:
    """Whether so many workers of CPython wait."""
    return len(held.runners[CPYTHON].workers._ready) == count


async def settled(held: Prison) -> bool:
    """Whether all workers wait, and the dead are buried."""
    workers = [runner.workers for runner in held.runners.values()]
    return all(len(each._ready) == 2 and len(each._tasks) == 2 for each in workers)
