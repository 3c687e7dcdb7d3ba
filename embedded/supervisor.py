"""Keeps child processes running: the servers of the mesh and the embedded stores alike."""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from embedded.child import Child
from embedded.child_log import LogLimit
from embedded.errors import StartError
from embedded.program import Program
from embedded.progress import Report


@dataclass(frozen=True)
class Backoff:
    """How long to wait before a program that ended is started again; seconds."""

    first: float = 1.0
    most: float = 30.0
    healthy_after: float = 60.0

    def next(self, previous: float, lived: float) -> float:
        """Twice the `previous` wait, or the first one again after a minute of health."""
        if lived >= self.healthy_after or previous == 0:
            return self.first
        return min(previous * 2, self.most)


class Supervisor:
    """Starts programs, starts them again when they end, stops them all. Nothing outlives it.

    Enter and leave it on the main thread: a child dies with the thread that started it, which is
    what ends the children when this process is killed with SIGKILL.
    """

    def __init__(
        self,
        logs: Path,
        report: Report,
        *,
        stop_seconds: float,
        backoff: Backoff | None = None,
        log_limit: LogLimit | None = None,
    ) -> None:
        self._logs = logs
        self._report = report
        self._stop_seconds = stop_seconds
        self._backoff = backoff or Backoff()
        self._log_limit = log_limit or LogLimit()
        self._children: dict[str, Child] = {}
        self._watches: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, program: Program) -> None:
        """Returns when the program answers. Raises `StartError` if it does not start; no retry."""
        if not self._watches:
            self._watches.append(asyncio.create_task(self._bound_logs()))
        child = await self._launch(program)
        self._watches.append(asyncio.create_task(self._keep(program, child)))

    async def start_all(self, programs: Iterable[Program]) -> None:
        """Starts all at once and returns when all answer; the first failure is raised."""
        await together(self.start(program) for program in programs)

    def pid(self, name: str) -> int:
        """Process id of a running program; changes when it is started again."""
        return self._children[name].pid

    async def stop(self) -> None:
        """Asks all to stop at once, waits at most `stop_seconds`, kills the rest."""
        for watch in self._watches:
            watch.cancel()
        outcomes = await asyncio.gather(*self._watches, return_exceptions=True)
        await asyncio.gather(*(c.stop(self._stop_seconds) for c in self._children.values()))
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _launch(self, program: Program) -> Child:
        child = await Child.start(program, self._logs)
        self._children[program.name] = child
        try:
            await child.ready()
        except StartError:
            await child.stop(self._stop_seconds)
            raise
        return child

    async def _keep(self, program: Program, child: Child) -> None:
        lived, why = await child.ended()
        wait = 0.0
        while True:
            wait = self._backoff.next(wait, lived)
            self._report(f"{program.name}: {why}; starting again in {wait:g} s")
            await asyncio.sleep(wait)
            lived, why = await self._run_again(program)

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(self._log_limit.seconds)
            for child in tuple(self._children.values()):
                try:
                    await child.bound_log(self._log_limit.most)
                except OSError as error:
                    self._report(f"{child.program.name}: its log cannot be bounded: {error}")

    async def _run_again(self, program: Program) -> tuple[float, str]:
        try:
            child = await self._launch(program)
        except StartError as error:
            return 0.0, error.message
        self._report(f"{program.name}: running again")
        return await child.ended()


async def together(starts: Iterable[Coroutine[None, None, None]]) -> None:
    """Awaits all at once. The first failure cancels the others and is raised alone."""
    try:
        async with asyncio.TaskGroup() as group:
            for start in starts:
                group.create_task(start)
    except BaseExceptionGroup as failures:
        # What came first is the cause; the others mostly follow from it.
        raise failures.exceptions[0] from None
