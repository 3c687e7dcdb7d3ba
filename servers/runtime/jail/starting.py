"""Starts programs in jails and ends them, with everything that they started."""

import asyncio
import json
import os
import signal
import subprocess
from asyncio.streams import FlowControlMixin
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO

from servers.runtime.jail.command import ISOLATED, PYTHON, Jail, command

WITHIN = Path(__file__).with_name("within.py")
BUFFER_BYTES = 65_536
STATUS_BYTES = 4096
LAST_RESORT_SECONDS = 2.0


def within(processes: int, program: Sequence[str]) -> list[str]:
    """A program of a jail with Python, as one that may have so many processes and threads: the
    kernel counts them by user and namespace, so the limit can only be set there. One more is
    bubblewrap's own."""
    script = WITHIN.read_text()
    return [PYTHON, *ISOLATED, "-c", script, str(processes + 1), *program]


class Jailed:
    """A program in its jail, with pipes to it. `close` ends it and everything in it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self._process = process
        self._first: int | None = None
        self._handle = os.pidfd_open(process.pid)
        self._ended: asyncio.Future[int] = loop.create_future()
        self._transports: list[asyncio.BaseTransport] = []
        self.stdin: asyncio.StreamWriter
        self.stdout: asyncio.StreamReader
        self.stderr: asyncio.StreamReader
        loop.add_reader(self._handle, self._reap)

    @property
    def pid(self) -> int:
        """Process id of bubblewrap, outside of the jail."""
        return self._process.pid

    @property
    def first(self) -> int | None:
        """Process id of the jail's first process, as it is outside; None if it never was."""
        return self._first

    @property
    def ended(self) -> bool:
        """Whether everything in the jail has ended."""
        return self._ended.done()

    async def wait(self) -> int:
        """The exit code, once everything in the jail has ended; negative is a signal."""
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        """Kills everything in the jail; `wait` tells when it is done."""
        if self.ended:
            return None
        if self._first is None:
            return self._process.kill()
        # With a namespace's first process the kernel ends all others, and bubblewrap, which waits
        # for it, ends when they are gone.
        with suppress(ProcessLookupError):
            os.kill(self._first, signal.SIGKILL)

    async def close(self) -> None:
        """Kills what is left, waits for its end and closes the pipes."""
        self.kill()
        try:
            async with asyncio.timeout(LAST_RESORT_SECONDS):
                await self.wait()
        except TimeoutError:
            self._process.kill()
            await self.wait()
        finally:
            for transport in self._transports:
                transport.close()

    async def connect(self, status: int) -> None:
        """Opens the pipes and waits for the jail's first process. `status` becomes ours."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        telling = await self.reader(os.fdopen(status, "rb", 0))
        self.stdin = await self._writer(process.stdin)
        self.stdout = await self.reader(process.stdout)
        self.stderr = await self.reader(process.stderr)
        line = await telling.readline()
        if line:
            self._first = int(json.loads(line)["child-pid"])
        self._transports.pop(0).close()

    async def reader(self, pipe: IO[bytes]) -> asyncio.StreamReader:
        """Reads a pipe, which is closed with the jail."""
        reader = asyncio.StreamReader(limit=BUFFER_BYTES)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        self._transports.append(transport)
        return reader

    async def _writer(self, pipe: IO[bytes]) -> asyncio.StreamWriter:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(FlowControlMixin, pipe)
        self._transports.append(transport)
        return asyncio.StreamWriter(transport, protocol, None, loop)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        self._ended.set_result(self._process.wait())


class Starter:
    """Starts jails. What a thread started ends with it (PR_SET_PDEATHSIG), so there is one that
    lives as long as this."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jail")

    async def start(
        self, jail: Jail, program: Sequence[str], *, further: Sequence[int] = ()
    ) -> Jailed:
        """Starts a program; it has `further` file descriptors beside the three, under the same
        numbers. OSError if there are no more processes or descriptors to be had. What keeps
        bubblewrap from making the jail is on `stderr`, and `first` is None then."""
        starting = asyncio.get_running_loop().run_in_executor(
            self._thread, _start, jail, program, tuple(further)
        )
        try:
            process, status = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_discard)
            raise
        jailed = Jailed(process)
        try:
            await jailed.connect(status)
        except BaseException:
            await jailed.close()
            raise
        return jailed

    def close(self) -> None:
        """Ends the thread, and with it what it started."""
        self._thread.shutdown(wait=True)


Started = tuple["subprocess.Popen[bytes]", int]


def _start(jail: Jail, program: Sequence[str], further: tuple[int, ...]) -> Started:
    status, theirs = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603  # the command is built by `command`
            command(jail, program, status=theirs),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=(*further, theirs),
            cwd="/",
        )
    except BaseException:
        os.close(status)
        raise
    finally:
        os.close(theirs)
    return process, status


def _discard(starting: asyncio.Future[Started]) -> None:
    """Ends what was started for somebody who has gone."""
    if starting.cancelled() or starting.exception() is not None:
        return
    process, status = starting.result()
    os.close(status)
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
