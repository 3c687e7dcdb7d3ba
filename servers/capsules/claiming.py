"""That a run is under way here: said again and again while it is, so that nobody else goes on with
it meanwhile, and taken back when it has stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from prometheus_client import Counter

from servers.capsules.run import Run
from servers.capsules.store import RunKey, Runs
from servers.runtime.labelled import labelled

RELEASE_SECONDS = 2.0

FAILURES = Counter(
    "kari_capsule_claim_failures_total",
    "Claims of runs that could not be said or taken back.",
    ["at"],
)

log = structlog.get_logger("kari.capsules")


class Claim:
    """The claim of one run; there is none before its first checkpoint."""

    def __init__(self, runs: Runs, run: Run, *, resumed: bool) -> None:
        self._runs = runs
        self._run = run
        self._resumed = resumed
        self._key = RunKey(run.id, run.manifest.id, run.who, run.holder)
        self._limit: asyncio.Timeout | None = None
        self._renewing: asyncio.Task[None] | None = None
        self.lost = False
        """Whether somebody else has the run by now, and it had to end here."""

    @property
    def there(self) -> bool:
        """Whether the store has the run."""
        return self._resumed or self._run.notes.checkpoints > 0

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Holds it inside the block."""
        if not (self._resumed or self._run.manifest.resumable):
            yield
            return
        self._renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            await self._stop()
            if self.there and not self.lost:
                await self._release()

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """TimeoutError if the block takes longer, or as soon as the claim is lost."""
        try:
            async with asyncio.timeout(seconds) as self._limit:
                yield
        finally:
            self._limit = None

    async def end(self) -> None:
        """What a run that is done left for going on is forgotten. If that fails it goes with
        age."""
        if not self.there:
            return
        await self._stop()
        try:
            await self._runs.end(self._key)
        except Exception as error:  # noqa: BLE001  # the run itself has ended well
            _failed("end", error)

    async def _stop(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})

    async def _renew(self) -> None:
        while not self.lost:
            await asyncio.sleep(self._runs.renew_seconds)
            if not self.there:
                continue
            try:
                self.lost = not await self._runs.renew(self._key)
            except Exception as error:  # noqa: BLE001  # whatever it was, the next try may work
                _failed("renew", error)
        log.warning("a run was taken over", run=self._run.id, capsule=self._run.manifest.id)
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())

    async def _release(self) -> None:
        """If that fails the claim runs out by itself."""
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._runs.release(self._key)
        except Exception as error:  # noqa: BLE001  # whatever it was, the run has ended
            _failed("release", error)


def _failed(at: str, error: Exception) -> None:
    labelled(FAILURES, at).inc()
    log.warning("claim of a run failed", at=at, error=type(error).__name__)
