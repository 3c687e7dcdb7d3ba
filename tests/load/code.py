"""What a run of code takes, in its runner and without the hop to it."""

import asyncio
import time

from kari.code_execution.v1.code_execution_pb2 import Runner, RunOutcome
from servers.code_execution.jails import MAKERS, Machine
from servers.code_execution.policy import Policy
from servers.code_execution.program import Limits, Program
from servers.code_execution.runner import JailedRunner
from servers.runtime.jail.starting import Starter
from tests.load.figures import Figures
from tests.load.measured import Spread, spread

LIMITS = Limits(5.0, 256_000_000, 100_000, 8)
PROGRAM = "print('hello')\nsum(range(1000))"
WARM = 2
APART_SECONDS = 0.5
"""Runs follow each other as those of a user do: the next worker is there."""


async def code(runs: int) -> Figures:
    """Milliseconds of so many runs, with a worker that waits and with one that does not."""
    machine = await asyncio.to_thread(Machine.found, (Runner.RUNNER_MONTY, Runner.RUNNER_CPYTHON))
    return {
        "monty_ms": await _warm(machine, Runner.RUNNER_MONTY, runs),
        "cpython_ms": await _warm(machine, Runner.RUNNER_CPYTHON, runs),
        "cpython_cold_ms": await _cold(machine, Runner.RUNNER_CPYTHON, runs),
    }


async def _warm(machine: Machine, kind: Runner.ValueType, runs: int) -> Spread:
    starter = Starter()
    runner = MAKERS[kind](machine, starter, Policy((kind,), LIMITS), WARM)
    keeping = asyncio.create_task(runner.workers.run())
    try:
        return await _measured(runner, runs)
    finally:
        keeping.cancel()
        await runner.workers.close()
        starter.close()


async def _cold(machine: Machine, kind: Runner.ValueType, runs: int) -> Spread:
    starter = Starter()
    runner = MAKERS[kind](machine, starter, Policy((kind,), LIMITS), 0)
    try:
        return await _measured(runner, runs)
    finally:
        await runner.workers.close()
        starter.close()


async def _measured(runner: JailedRunner, runs: int) -> Spread:
    took = []
    for _ in range(runs):
        await asyncio.sleep(APART_SECONDS)
        began = time.perf_counter()
        result = await runner.run(Program(PROGRAM, LIMITS))
        took.append(time.perf_counter() - began)
        if result.outcome != RunOutcome.RUN_OUTCOME_DONE:
            raise RuntimeError(f"a program ended wrong: {result}")
    return spread(took)
