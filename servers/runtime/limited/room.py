"""The room in which jobs run, seen by whoever asks for them."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge

from servers.runtime.labelled import labelled
from servers.runtime.limited import frames
from servers.runtime.limited.failures import JobFailed, Why
from servers.runtime.limited.limits import Limits
from servers.runtime.limited.source import Source

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "servers.runtime.limited.zygote")
START_SECONDS = 60.0
"""Imports of large libraries on a busy machine."""
# Nothing of this process's environment: it holds addresses and keys.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_FAILURES = {
    frames.UNREADABLE: Why.UNREADABLE,
    frames.BROKEN: Why.BROKEN,
    frames.MEMORY: Why.MEMORY,
}
_SIGNALS = {signal.SIGXCPU: Why.TIME}

JOBS = Counter("kari_chat_limited_jobs_total", "Jobs in limited processes.", ["room", "outcome"])
RUNNING = Gauge("kari_chat_limited_jobs_running", "Jobs that are under way.", ["room"])
STARTS = Counter("kari_chat_limited_starts_total", "Starts of the zygote of a room.", ["room"])

log = structlog.get_logger("kari.limited")


class Room:
    """At most so many jobs at a time, each in a process of its own."""

    def __init__(
        self, name: str, modules: Sequence[str], *, most: int = 2, readable: Sequence[Path] = ()
    ) -> None:
        """`modules` are imported once, by the zygote: what they hold is there in every job.
        `readable` are folders that jobs may read beside libraries, such as those of models."""
        self._name = name
        self._words = [*modules, *(["--", *map(str, readable)] if readable else [])]
        self._room = asyncio.Semaphore(most)
        self._starting = asyncio.Lock()
        self._zygote: _Zygote | None = None

    async def run(
        self, function: str, source: Source, request: bytes = b"", limits: Limits | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The pieces that `module:function` gives for a file, as they come. JobFailed if it does
        not come to its end; what came before counts. Close it (`contextlib.aclosing`) to end the
        job early."""
        bounds = limits or Limits()
        async with self._room:
            labelled(RUNNING, self._name).inc()
            outcome = "left"
            try:
                async for piece in self._pieces(function, source, request, bounds):
                    yield piece
                outcome = "done"
            except JobFailed as failed:
                outcome = failed.why.value
                raise
            finally:
                labelled(RUNNING, self._name).dec()
                labelled(JOBS, self._name, outcome).inc()

    async def whole(
        self, function: str, source: Source, request: bytes = b"", limits: Limits | None = None
    ) -> bytes:
        """All pieces in one."""
        return b"".join([piece async for piece in self.run(function, source, request, limits)])

    async def ready(self) -> list[str]:
        """Starts the zygote if it does not run; which of the kernel's rules hold its jobs."""
        return (await self._running()).confined

    async def close(self) -> None:
        """Ends the zygote, and with it all jobs."""
        if self._zygote is not None:
            await self._zygote.close()

    async def _pieces(
        self, function: str, source: Source, request: bytes, limits: Limits
    ) -> AsyncGenerator[bytes, None]:
        zygote = await self._running()
        job = await zygote.start(function, source.size, limits)
        finished = False
        try:
            await job.send(frames.DATA, request)
            deadline = asyncio.get_running_loop().time() + limits.seconds
            left = limits.output_bytes
            while (piece := await _next(job, source, deadline)) is not None:
                left -= len(piece)
                if left < 0:
                    raise JobFailed(Why.OUTPUT)
                began = asyncio.get_running_loop().time()
                yield piece
                # The time of whoever takes the pieces is not the job's.
                deadline += asyncio.get_running_loop().time() - began
            finished = True
        except (asyncio.IncompleteReadError, ConnectionError) as gone:
            number = await asyncio.shield(zygote.end(job))
            finished = True
            raise _died(number) from gone
        finally:
            job.close()
            ending = asyncio.ensure_future(zygote.end(job))
            if not finished or not ending.done():
                await asyncio.shield(ending)

    async def _running(self) -> "_Zygote":
        async with self._starting:
            if self._zygote is None or not self._zygote.alive:
                if self._zygote is not None:
                    await self._zygote.close()
                labelled(STARTS, self._name).inc()
                self._zygote = _Zygote(self._words)
                self._zygote.open()
            zygote = self._zygote
        if not zygote.can_fork:
            await zygote.opened()
            log.info("room open", room=self._name, confined=zygote.confined)
        return zygote


async def _next(job: "_Job", source: Source, deadline: float) -> bytes | None:
    """The next piece; None at the end. Gives the job the bytes that it asks for meanwhile."""
    try:
        async with asyncio.timeout_at(deadline):
            while True:
                kind, data = await job.receive()
                if kind == frames.READ:
                    offset, length = frames.RANGE.unpack(data)
                    await job.send(frames.DATA, await source.read(offset, length))
                elif kind == frames.PIECE:
                    return data
                elif kind == frames.END:
                    return None
                else:
                    raise _said(kind, data)
    except TimeoutError as late:
        raise JobFailed(Why.TIME) from late


def _said(kind: bytes, data: bytes) -> JobFailed:
    text, why = data.decode(errors="replace"), _FAILURES.get(kind, Why.CRASHED)
    return JobFailed(why, text) if why is Why.UNREADABLE else JobFailed(why, cause=text)


def _died(number: int) -> JobFailed:
    known = number in set(signal.Signals)
    cause = signal.Signals(number).name if known else "left without a word"
    return JobFailed(
        _SIGNALS.get(signal.Signals(number), Why.CRASHED) if known else Why.CRASHED, cause=cause
    )


class _Job:
    """One job: its socket."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self._reader = reader
        self._writer = writer

    async def receive(self) -> tuple[bytes, bytes]:
        kind, size = frames.HEADER.unpack(await self._reader.readexactly(frames.HEADER.size))
        if size > frames.LARGEST:
            raise JobFailed(Why.OUTPUT)
        return kind, await self._reader.readexactly(size)

    async def send(self, kind: bytes, data: bytes) -> None:
        self._writer.write(frames.frame(kind, data))
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class _Zygote:
    """The zygote's process and the socket over which it is told of jobs."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._numbers = 0
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._ready: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self.confined: list[str] = []

    @property
    def alive(self) -> bool:
        """Whether it can start jobs."""
        return self._control is not None

    @property
    def can_fork(self) -> bool:
        """Whether it has said so."""
        return self._ready.done()

    def open(self) -> None:
        """Starts it."""
        own, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        own.setblocking(False)
        self._control = own
        asyncio.get_running_loop().add_reader(own.fileno(), self._told)
        # In this thread: it dies with the thread that starts it.
        self._process = subprocess.Popen(  # noqa: S603  # fixed words
            [*COMMAND, str(its.fileno()), *self._words],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
            start_new_session=True,
        )
        its.close()

    async def opened(self) -> None:
        """Returns when it can fork. JobFailed if it cannot."""
        try:
            async with asyncio.timeout(START_SECONDS):
                # Others wait for the same: whoever is cancelled leaves it to them.
                self.confined = await asyncio.shield(self._ready)
        except TimeoutError as late:
            self._lost()
            raise JobFailed(Why.ROOM, cause="the zygote does not start") from late

    async def start(self, function: str, size: int, limits: Limits) -> _Job:
        """Has a job forked."""
        own, its = socket.socketpair()
        self._numbers += 1
        told = {
            "job": self._numbers,
            "function": function,
            "size": size,
            "cpu_seconds": limits.cpu_seconds,
            "memory_bytes": limits.memory_bytes,
        }
        self._ended[self._numbers] = asyncio.get_running_loop().create_future()
        try:
            if self._control is None:
                raise ConnectionError("the zygote is gone")
            socket.send_fds(self._control, [json.dumps(told).encode()], [its.fileno()])
        except OSError as gone:
            own.close()
            self._lost()
            raise JobFailed(Why.ROOM, cause="the zygote is gone") from gone
        finally:
            its.close()
        reader, writer = await asyncio.open_connection(sock=own, limit=2**20)
        return _Job(told["job"], reader, writer)  # type: ignore[arg-type]  # an int among others

    async def end(self, job: _Job) -> int:
        """Kills what is left of a job; the signal that ended it, 0 if none did."""
        future = self._ended.get(job.number)
        if future is None:
            return 0
        if self._control is not None and not future.done():
            try:
                self._control.send(json.dumps({"job": job.number}).encode())
            except OSError:
                self._lost()
        try:
            return await future
        finally:
            self._ended.pop(job.number, None)

    async def close(self) -> None:
        """Ends it."""
        self._lost()
        process = self._process
        if process is not None:
            process.kill()
            await asyncio.to_thread(process.wait)

    def _told(self) -> None:
        control = self._control
        if control is None:
            return
        try:
            packet = control.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._lost()
            return
        told = json.loads(packet)
        if "ready" in told:
            self._ready.set_result(told["ready"])
        elif (future := self._ended.get(told["job"])) and not future.done():
            future.set_result(told["signal"])

    def _lost(self) -> None:
        control, self._control = self._control, None
        if control is not None:
            asyncio.get_running_loop().remove_reader(control.fileno())
            control.close()
        if not self._ready.done():
            self._ready.set_exception(JobFailed(Why.ROOM, cause="the zygote does not start"))
            self._ready.exception()
        for future in self._ended.values():
            if not future.done():
                future.set_result(signal.SIGKILL)
