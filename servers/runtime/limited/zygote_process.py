"""The zygote as its server has it: a child, told of jobs over a socket of packets."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from servers.runtime.limited import frames
from servers.runtime.limited.failures import NO_PROCESS, JobFailed, Why
from servers.runtime.limited.limits import Limits

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


class Job:
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


class ZygoteProcess:
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
        """Starts it. JobFailed if no process can be had."""
        try:
            self._open()
        except OSError as error:
            self._lost()
            raise JobFailed(Why.ROOM, cause=f"the zygote does not start: {error}") from error

    def _open(self) -> None:
        own, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        own.setblocking(False)
        self._control = own
        asyncio.get_running_loop().add_reader(own.fileno(), self._told)
        with its:
            # In this thread: it dies with the thread that starts it.
            self._process = subprocess.Popen(  # noqa: S603  # fixed words
                [*COMMAND, str(its.fileno()), *self._words],
                cwd=ROOT,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )

    async def opened(self) -> None:
        """Returns when it can fork. JobFailed if it cannot."""
        try:
            async with asyncio.timeout(START_SECONDS):
                # Others wait for the same: whoever is cancelled leaves it to them.
                self.confined = await asyncio.shield(self._ready)
        except TimeoutError as late:
            self._lost()
            raise JobFailed(Why.ROOM, cause="the zygote does not start") from late

    async def start(self, function: str, size: int, limits: Limits) -> Job:
        """Has a job forked. JobFailed if nobody can be told of it."""
        try:
            own, its = socket.socketpair()
        except OSError as error:
            raise JobFailed(Why.ROOM, cause=f"no socket for a job: {error}") from error
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
        except BlockingIOError as busy:
            own.close()
            del self._ended[told["job"]]  # type: ignore[arg-type]  # an int among others
            raise JobFailed(Why.ROOM, cause="the zygote has not heard of earlier jobs") from busy
        except OSError as gone:
            own.close()
            self._lost()
            raise JobFailed(Why.ROOM, cause="the zygote is gone") from gone
        finally:
            its.close()
        reader, writer = await asyncio.open_connection(sock=own, limit=2**20)
        return Job(told["job"], reader, writer)  # type: ignore[arg-type]  # an int among others

    async def end(self, job: Job) -> int:
        """Kills what is left of a job; the signal that ended it, 0 if none did, `NO_PROCESS` if it
        was not the job's own end."""
        future = self._ended.get(job.number)
        if future is None:
            return 0
        if self._control is not None and not future.done():
            try:
                told = json.dumps({"job": job.number}).encode()
                await asyncio.get_running_loop().sock_sendall(self._control, told)
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
                future.set_result(NO_PROCESS)
