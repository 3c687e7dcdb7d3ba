"""Workers that are started before they are needed, each for one program."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

import structlog
from prometheus_client import Counter, Gauge

from servers.code_execution.worker import Worker
from servers.runtime.jail.errors import NoJail
from servers.runtime.labelled import labelled

FIRST_WAIT, LONGEST_WAIT = 0.1, 30.0
MOST_FAILED = 10

WARM = Gauge("kari_code_warm_workers", "Workers that wait for a program.", ("runner",))
STARTS = Counter(
    "kari_code_worker_starts_total", "Workers started, by how it went.", ("runner", "outcome")
)
log = structlog.get_logger("kari.code_execution")


class WarmWorkers:
    """Keeps so many workers ready. `run` is a loop of its server."""

    def __init__(self, runner: str, start: Callable[[], Awaitable[Worker]], keep: int) -> None:
        self._runner = runner
        self._start = start
        self._keep = keep
        self._ready: deque[Worker] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._short = asyncio.Event()
        self._short.set()
        self._failed = 0

    async def run(self) -> None:
        """Starts what is missing, for ever. Whatever ended one may end the next: after each that
        did not start, or died while it waited, there is a longer pause."""
        while True:
            await self._short.wait()
            if len(self._ready) >= self._keep:
                self._short.clear()
                continue
            if self._failed:
                await asyncio.sleep(min(FIRST_WAIT * 2 ** (self._failed - 1), LONGEST_WAIT))
            try:
                self._put(await self._started())
            except (NoJail, OSError) as error:
                self._failed = min(self._failed + 1, MOST_FAILED)
                log.warning("no warm worker", runner=self._runner, error=str(error))

    async def take(self) -> Worker:
        """A worker of one's own: a warm one, or else one that is started now. NoJail if it cannot
        be."""
        while self._ready:
            worker = self._ready.popleft()
            self._count()
            if worker.alive:
                self._failed = 0
                return worker
            await worker.close()
        return await self._started()

    def bury(self, worker: Worker) -> None:
        """Sees a killed worker to its end, in the background: on a busy machine dying takes a
        while."""
        self._background(worker.close())

    async def close(self) -> None:
        """Ends those that wait, and sees those that were killed to their end."""
        waiting = [worker.close() for worker in self._ready]
        self._ready.clear()
        await asyncio.gather(*waiting, *self._tasks)
        self._count()

    async def _started(self) -> Worker:
        try:
            worker = await self._start()
        except (NoJail, OSError):
            labelled(STARTS, self._runner, "failed").inc()
            raise
        labelled(STARTS, self._runner, "started").inc()
        return worker

    def _put(self, worker: Worker) -> None:
        self._ready.append(worker)
        self._count()
        self._background(self._watch(worker))

    def _background(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, worker: Worker) -> None:
        """Notices when one dies while it waits."""
        await worker.wait()
        if worker not in self._ready:
            return
        log.warning("a warm worker died", runner=self._runner)
        labelled(STARTS, self._runner, "died").inc()
        with suppress(ValueError):
            self._ready.remove(worker)
        self._failed = min(self._failed + 1, MOST_FAILED)
        await worker.close()
        self._count()

    def _count(self) -> None:
        labelled(WARM, self._runner).set(len(self._ready))
        self._short.set()
