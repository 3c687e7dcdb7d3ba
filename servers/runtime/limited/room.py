"""The room in which jobs run, seen by whoever asks for them."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge

from servers.runtime.labelled import labelled
from servers.runtime.limited import frames
from servers.runtime.limited.failures import NO_PROCESS, JobFailed, Why
from servers.runtime.limited.limits import Limits
from servers.runtime.limited.source import Source
from servers.runtime.limited.zygote_process import Job, ZygoteProcess

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
        self._zygote: ZygoteProcess | None = None

    async def run(
        self, function: str, source: Source, request: bytes = b"", limits: Limits | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The pieces that `module:function` gives for a file, as they come. JobFailed if it does
        not come to its end; what came before counts. `Why.ROOM` says nothing of the file: it may be
        tried again, so many times that a file that takes the zygote along comes to an end as well.
        Close it (`contextlib.aclosing`) to end the job early."""
        bounds = limits or Limits()
        async with self._room:
            labelled(RUNNING, self._name).inc()
            outcome = "left"
            try:
                async with aclosing(self._pieces(function, source, request, bounds)) as pieces:
                    async for piece in pieces:
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

    async def _running(self) -> ZygoteProcess:
        async with self._starting:
            if self._zygote is None or not self._zygote.alive:
                if self._zygote is not None:
                    await self._zygote.close()
                labelled(STARTS, self._name).inc()
                self._zygote = ZygoteProcess(self._words)
                self._zygote.open()
            zygote = self._zygote
        if not zygote.can_fork:
            await zygote.opened()
            log.info("room open", room=self._name, confined=zygote.confined)
        return zygote


async def _next(job: Job, source: Source, deadline: float) -> bytes | None:
    """The next piece; None at the end. Gives the job the bytes that it asks for meanwhile."""
    try:
        async with asyncio.timeout_at(deadline):
            while True:
                kind, data = await job.receive()
                if kind == frames.READ:
                    await job.send(frames.DATA, await source.read(*_range(data, source.size)))
                elif kind == frames.PIECE:
                    return data
                elif kind == frames.END:
                    return None
                else:
                    raise _said(kind, data)
    except TimeoutError as late:
        raise JobFailed(Why.TIME) from late


def _range(data: bytes, size: int) -> tuple[int, int]:
    """What a job asks for; one that was taken over by its file may ask for anything."""
    if len(data) != frames.RANGE.size:
        raise JobFailed(Why.CRASHED, cause="it asked for no range")
    offset, length = frames.RANGE.unpack(data)
    if length > frames.MOST_READ or offset + length > size:
        raise JobFailed(Why.CRASHED, cause=f"it asked for {length} bytes at {offset} of {size}")
    return offset, length


def _said(kind: bytes, data: bytes) -> JobFailed:
    text, why = data.decode(errors="replace"), _FAILURES.get(kind, Why.CRASHED)
    return JobFailed(why, text) if why is Why.UNREADABLE else JobFailed(why, cause=text)


def _died(number: int) -> JobFailed:
    if number == NO_PROCESS:
        return JobFailed(Why.ROOM, cause="it could not be forked, or the zygote is gone")
    known = number in set(signal.Signals)
    cause = signal.Signals(number).name if known else "left without a word"
    return JobFailed(
        _SIGNALS.get(signal.Signals(number), Why.CRASHED) if known else Why.CRASHED, cause=cause
    )
