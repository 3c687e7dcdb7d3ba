"""Runs programs in workers of one kind."""

import asyncio
from collections.abc import Mapping

from kari.code_execution.v1.code_execution_pb2 import Runner, RunOutcome
from servers.code_execution.output import Output
from servers.code_execution.program import Program, Result
from servers.code_execution.report import job_of, result_of, unreadable
from servers.code_execution.usage import usage_of
from servers.code_execution.warm import WarmWorkers
from servers.code_execution.worker import Worker
from servers.runtime.jail.command import SCRATCH

LOOK_SECONDS = 0.05
MOST_FILES_MADE = 5000


class JailedRunner:
    """One kind of worker, and how a program is run in it."""

    def __init__(
        self,
        kind: Runner.ValueType,
        workers: WarmWorkers,
        policy: Mapping[str, object],
        own_bytes: int,
    ) -> None:
        """`policy` is what its workers are told beside the program; `own_bytes` the memory that
        they take for themselves."""
        self.kind = kind
        self.workers = workers
        self._policy = policy
        self._own_bytes = own_bytes

    def lenient(self) -> "JailedRunner":
        """The same without a policy, for the self-test: the jail alone has to hold."""
        policy = {"modules": None, "functions": None}
        return JailedRunner(self.kind, self.workers, policy, self._own_bytes)

    async def run(self, program: Program) -> Result:
        """Runs a program to its end or its limit. Whoever cancels this ends the program at once.
        NoJail or OSError if there is no worker to be had."""
        worker = await self.workers.take()
        output = Output(program.limits.output_bytes)
        try:
            result = await self._verdict(worker, program, output)
            worker.jailed.kill()
            await worker.printed()
        finally:
            worker.jailed.kill()
            self.workers.bury(worker)
        if output.truncated:
            result = Result(RunOutcome.RUN_OUTCOME_TOO_MUCH_OUTPUT, _too_much(program))
        result.stdout, result.stderr = output.text("stdout"), output.text("stderr")
        result.truncated = output.truncated
        return result

    async def _verdict(self, worker: Worker, program: Program, output: Output) -> Result:
        """What comes first: too much output, its end, its limit of memory, or of time."""
        ways = (
            asyncio.create_task(self._reported(worker, program, output)),
            asyncio.create_task(_overflown(worker, program)),
            asyncio.create_task(self._outgrown(worker, program)),
        )
        seconds = program.limits.seconds
        try:
            await asyncio.wait(ways, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                if way.done():
                    return way.result()
        finally:
            for way in ways:
                way.cancel()
        return Result(RunOutcome.RUN_OUTCOME_TIMED_OUT, f"it took longer than {seconds:g} s")

    async def _reported(self, worker: Worker, program: Program, output: Output) -> Result:
        await worker.give(await asyncio.to_thread(job_of, program, **self._policy), output)
        report = await worker.report()
        if report is None:
            return unreadable()
        result = await asyncio.to_thread(result_of, report)
        if result.outcome == RunOutcome.RUN_OUTCOME_TIMED_OUT:
            result.explanation = f"it took longer than {program.limits.seconds:g} s"
        return result

    async def _outgrown(self, worker: Worker, program: Program) -> Result:
        """Looks again and again at what all of its processes use together."""
        first = worker.jailed.first
        while first is not None:
            await asyncio.sleep(LOOK_SECONDS)
            most = program.limits.memory_bytes + self._own_bytes
            usage = await asyncio.to_thread(usage_of, first, SCRATCH)
            if usage.memory_bytes > most:
                usage = await asyncio.to_thread(usage_of, first, SCRATCH, exact=True)
            if usage.memory_bytes > most:
                explanation = f"its processes used more than {program.limits.memory_bytes} bytes"
                return Result(RunOutcome.RUN_OUTCOME_OUT_OF_MEMORY, explanation)
            if usage.files > MOST_FILES_MADE:
                explanation = f"it made more than {MOST_FILES_MADE} files"
                return Result(RunOutcome.RUN_OUTCOME_OUT_OF_MEMORY, explanation)
        return unreadable()


async def _overflown(worker: Worker, program: Program) -> Result:
    await worker.overflow.wait()
    return Result(RunOutcome.RUN_OUTCOME_TOO_MUCH_OUTPUT, _too_much(program))


def _too_much(program: Program) -> str:
    return f"it printed more than {program.limits.output_bytes} bytes"
