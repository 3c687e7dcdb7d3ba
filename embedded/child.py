"""One child process: started so that it cannot outlive us, watched, stopped."""

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from embedded.child_log import ChildLog
from embedded.errors import StartError
from embedded.program import Program, Running

POLL_SECONDS = 0.05


class Child:
    """A running program. Start it on the main thread: when the thread that did ends, it dies."""

    def __init__(self, program: Program, process: Running, log: ChildLog) -> None:
        self.program = program
        self.log = log
        self._process = process
        self._began = time.monotonic()

    @classmethod
    async def start(cls, program: Program, logs: Path) -> Self:
        """Starts `program` in a session of its own; its output goes to `<logs>/<name>.log`."""
        try:
            log = ChildLog(logs, program.name)
            process = await _spawn(program, log)
        except OSError as error:
            raise StartError(
                f"{program.name} cannot be started: {error}.",
                f"Check the free space and the rights of {logs.parent}.",
            ) from error
        return cls(program, process, log)

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its session and group."""
        return self._process.pid

    async def ready(self) -> None:
        """Returns when the program answers; raises `StartError` if it ends or stays silent."""
        try:
            async with asyncio.timeout(self.program.start_seconds):
                # Nothing tells us: a server that starts has no event to wait for.
                while not await self._answers():  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise self._failure(f"does not answer after {self.program.start_seconds:g} s") from None

    async def _answers(self) -> bool:
        if self._process.returncode is not None:
            raise self._failure(self._ending())
        return self.program.answers is None or await self.program.answers()

    async def succeeded(self) -> None:
        """Waits for a program that ends by itself; raises `StartError` if it failed."""
        if await self._process.wait() != 0:
            raise self._failure(self._ending())

    async def ended(self) -> tuple[float, str]:
        """Waits for the end: how many seconds it lived, and why it ended, for a person to read."""
        await self._process.wait()
        return time.monotonic() - self._began, self._ending()

    async def bound_log(self, most: int) -> None:
        """Keeps the log at no more than `most` bytes, on a thread: the disk may be slow."""
        await asyncio.to_thread(self.log.bound, most)

    def _ending(self) -> str:
        status = self._process.returncode or 0
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        last = self.log.tail(1)
        return f"{how}: {last}" if last else how

    def _failure(self, why: str) -> StartError:
        return StartError(
            f"{self.program.name} did not start: {why}",
            f"Its log says more: {self.log.path}",
            self.log.tail(),
        )

    async def stop(self, seconds: float) -> None:
        """Asks it to stop, waits at most `seconds`, then kills it and what it started."""
        self._signal(os.kill, self.program.stop_signal)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()
        self._signal(os.killpg, signal.SIGKILL)
        await self._process.wait()

    def _signal(self, send: Callable[[int, int], None], number: signal.Signals) -> None:
        # Not Process.send_signal(): it may collect the exit status that asyncio waits for.
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                send(self.pid, number)


async def _spawn(program: Program, log: ChildLog) -> Running:
    try:
        if program.forked is not None:
            return await program.forked(log.descriptor)
        return await _execute(program, log.descriptor)
    finally:
        log.close()


async def _execute(program: Program, log: int) -> Running:
    process = await asyncio.create_subprocess_exec(
        *program.tethered(),
        stdin=PIPE if program.feed else program.wire.fileno() if program.wire else DEVNULL,
        stdout=log,
        stderr=STDOUT,
        env=program.env,
        cwd=program.folder,
        start_new_session=True,
    )
    if process.stdin:
        process.stdin.write(program.feed)
        process.stdin.close()
    return process


async def run_to_end(program: Program, logs: Path) -> None:
    """Runs a program that ends by itself; kills it if cancelled; `StartError` if it fails."""
    child = await Child.start(program, logs)
    try:
        await child.succeeded()
    finally:
        await child.stop(0)
