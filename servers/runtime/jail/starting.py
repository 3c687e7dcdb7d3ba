"""Starts programs in jails and ends them, with everything that they started."""

import array
import asyncio
import fcntl
import json
import os
import signal
import subprocess
import termios
from asyncio.streams import FlowControlMixin
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from servers.runtime.jail.command import ISOLATED, PYTHON, Jail, command
from servers.runtime.jail.programs import restore

ENTER = Path(__file__).with_name("enter.py").read_text()
WITHIN = Path(__file__).with_name("within.py").read_text()
LISTENING = Path(__file__).with_name("listening.py").read_text()
BUFFER_BYTES = 65_536
LAST_RESORT_SECONDS = 2.0


def within(processes: int, program: Sequence[str]) -> list[str]:
    """A program of a jail with Python, as one that may have so many processes and threads: the
    kernel counts them by user and namespace, so the limit can only be set there. One more is
    bubblewrap's own."""
    return [PYTHON, *ISOLATED, "-c", WITHIN, str(processes + 1), *program]


def listening(line: int, program: Sequence[str]) -> list[str]:
    """A program of a jail with Python, as one whose proxy is a listener on the jail's loopback,
    which is handed out over `line`, the descriptor of a Unix socket."""
    return [PYTHON, *ISOLATED, "-c", LISTENING, str(line), *program]


class Jailed:
    """A program in its jail, with pipes to it. `close` ends it and everything in it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self._process = process
        self._first: int | None = None
        self._handle = os.pidfd_open(process.pid)
        self._ended: asyncio.Future[int] = loop.create_future()
        self._transports: list[asyncio.BaseTransport] = []
        self._takers: list[_Taker] = []
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
            return
        if self._first is None:
            self._process.kill()
            return
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

    async def connect(self, started: "Started", taking: "Taking | None") -> None:
        """Opens the pipes and waits for the jail's first process."""
        telling = await self.reader(started.status)
        self.stdin = await self._writer(started.stdin)
        if taking is None:
            self.stdout = await self.reader(started.stdout)
            self.stderr = await self.reader(started.stderr)
        else:
            await self._take("stdout", started.stdout, taking)
            await self._take("stderr", started.stderr, taking)
        line = await telling.readline()
        if line:
            self._first = int(json.loads(line)["child-pid"])
        self._transports.pop(0).close()

    def unread(self) -> bool:
        """Whether something that was printed is still on its way to `taking`."""
        return any(taker.unread() for taker in self._takers)

    async def reader(self, pipe: IO[bytes]) -> asyncio.StreamReader:
        """Reads a pipe, which is closed with the jail."""
        reader = asyncio.StreamReader(limit=BUFFER_BYTES)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        self._transports.append(transport)
        return reader

    async def _take(self, name: str, pipe: IO[bytes], taking: "Taking") -> None:
        taker = _Taker(name, pipe, taking)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: taker, pipe)
        self._transports.append(transport)
        self._takers.append(taker)

    async def _writer(self, pipe: IO[bytes]) -> asyncio.StreamWriter:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(FlowControlMixin, pipe)
        self._transports.append(transport)
        return asyncio.StreamWriter(transport, protocol, None, loop)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        self._ended.set_result(self._process.wait())


Taking = Callable[[str, bytes], None]


class _Taker(asyncio.Protocol):
    """Passes on what comes through a pipe."""

    def __init__(self, name: str, pipe: IO[bytes], taking: Taking) -> None:
        self._name = name
        self._pipe = pipe
        self._taking = taking

    def data_received(self, data: bytes) -> None:
        self._taking(self._name, data)

    def unread(self) -> bool:
        """Whether the pipe holds something."""
        if self._pipe.closed:
            return False
        held = array.array("i", [0])
        fcntl.ioctl(self._pipe, termios.FIONREAD, held)
        return held[0] > 0


class Starter:
    """Starts jails. What a thread started ends with it (PR_SET_PDEATHSIG), so there is one that
    lives as long as this."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jail")

    async def start(
        self,
        jail: Jail,
        program: Sequence[str],
        *,
        further: Sequence[int] = (),
        taking: Taking | None = None,
    ) -> Jailed:
        """Starts a program; it has `further` file descriptors beside the three, under the same
        numbers. What it prints is given to `taking` where there is one, as `stdout` or `stderr`;
        else `stdout` and `stderr` read it. OSError if there are no more processes or descriptors to
        be had. What keeps bubblewrap from making the jail is on `stderr`, and `first` is None
        then."""
        starting = asyncio.get_running_loop().run_in_executor(
            self._thread, _start, jail, program, tuple(further)
        )
        try:
            started = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_discard)
            raise
        jailed = Jailed(started.process)
        try:
            await jailed.connect(started, taking)
        except BaseException:
            await jailed.close()
            raise
        return jailed

    def close(self) -> None:
        """Ends the thread, and with it what it started."""
        self._thread.shutdown(wait=True)


@dataclass(frozen=True)
class Started:
    """A process and our ends of its pipes; `status` is what bubblewrap tells."""

    process: "subprocess.Popen[bytes]"
    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]
    status: IO[bytes]


def _start(jail: Jail, program: Sequence[str], further: tuple[int, ...]) -> Started:
    restore(jail.programs)
    with ExitStack() as ours, ExitStack() as theirs:
        read, write = zip(*(_pipe() for _ in range(4)), strict=True)
        stdin, stdout, stderr, status = read[0], *write[1:]
        for end in (stdin, stdout, stderr, status):
            theirs.enter_context(end)
        for end in (write[0], *read[1:]):
            ours.enter_context(end)
        process = subprocess.Popen(  # noqa: S603  # the command is built by `command`
            command(jail, program, ENTER, status=status.fileno()),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(*further, status.fileno()),
            cwd="/",
        )
        ours.pop_all()
    return Started(process, write[0], *read[1:])


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    read, write = os.pipe()
    return os.fdopen(read, "rb", 0), os.fdopen(write, "wb", 0)


def _discard(starting: asyncio.Future[Started]) -> None:
    """Ends what was started for somebody who has gone."""
    if starting.cancelled() or starting.exception() is not None:
        return
    started = starting.result()
    started.process.kill()
    started.process.wait()
    for pipe in (started.stdin, started.stdout, started.stderr, started.status):
        pipe.close()
