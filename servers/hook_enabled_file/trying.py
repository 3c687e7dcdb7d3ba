"""Letting a hook look at a file: within its time, beside others, again if something is away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext

import grpc
import structlog

from kari.conversation_models.v1.file_pb2 import HookKind
from kari.errors.v1.errors_pb2 import Reason
from servers.hook_enabled_file.hooks import (
    ENRICH,
    FAILED,
    GUARD,
    Away,
    Busy,
    Elsewhere,
    Hook,
    Looked,
    Outcome,
)
from servers.hook_enabled_file.metrics import AGAIN
from servers.hook_enabled_file.plan import Queue, queue_of, seconds_for
from servers.runtime.errors import from_rpc
from servers.runtime.labelled import labelled
from servers.runtime.limited import JobFailed, Why

AT_ONCE = {Queue.SHORT: 3, Queue.LARGE: 2, Queue.IMAGES: 2, Queue.RECORDINGS: 2}
"""Hooks that run at the same time, of each queue beside the others."""
BUSY_SECONDS = 5.0
"""Until what is busy is asked again."""

WAITS = {
    GUARD: "the file stays in quarantine, and is looked at again in a while",
    ENRICH: "it is tried again",
}
GIVEN_UP = {
    GUARD: "nobody could look at the file in time: upload it again later",
    ENRICH: "what it finds is missing",
}

Pauses = Callable[[HookKind.ValueType], Iterable[float]]

log = structlog.get_logger("kari.hook_enabled_file")


class Trying:
    """Bounds what is looked at at the same time, and how long. `pauses` gives the seconds before
    each further attempt while something is away; after the last it has failed. What is busy is
    asked again every `busy_seconds`."""

    def __init__(self, pauses: Pauses, busy_seconds: float = BUSY_SECONDS) -> None:
        self._pauses = pauses
        self._busy_seconds = busy_seconds
        self.waiting = 0
        """Files that wait for what is away, or behind others that take minutes."""
        self._places = {queue: asyncio.Semaphore(most) for queue, most in AT_ONCE.items()}

    async def look(self, hook: Hook, looked: Looked) -> Outcome:
        """What a hook says; FAILED, with a sentence for people, if it does not come to its end."""
        looked.last = False
        for pause in self._pauses(hook.kind):
            try:
                return await self._in_turn(hook, looked)
            except Away as away:
                labelled(AGAIN, hook.name).inc()
                log.warning("hook is tried again", hook=hook.name, error=str(away))
                looked.tell(f"{away}; {WAITS[hook.kind]}")
            await looked.under_way(False)
            with self._counted_as_waiting():
                await asyncio.sleep(pause)
        looked.last = True
        try:
            return await self._in_turn(hook, looked)
        except Away as away:
            why = f"{away}; {GIVEN_UP[hook.kind]}"
            return Outcome(FAILED, why, record={"away": str(away)[:200]})

    @contextmanager
    def _counted_as_waiting(self) -> Iterator[None]:
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    async def _in_turn(self, hook: Hook, looked: Looked) -> Outcome:
        while True:
            try:
                return await self._once(hook, looked)
            except Elsewhere:
                continue
            except Busy as busy:
                looked.tell(str(busy))
            await looked.under_way(False)
            with self._counted_as_waiting():
                await asyncio.sleep(self._busy_seconds)

    async def _once(self, hook: Hook, looked: Looked) -> Outcome:
        async with self._place(queue_of(hook, looked)):
            await looked.under_way(True)
            return await _in_time(hook, looked)

    @asynccontextmanager
    async def _place(self, queue: Queue) -> AsyncIterator[None]:
        """Who waits long for one must not keep files from being claimed that need not."""
        places = self._places[queue]
        with nullcontext() if queue is Queue.SHORT else self._counted_as_waiting():
            await places.acquire()
        try:
            yield
        finally:
            places.release()


async def _in_time(hook: Hook, looked: Looked) -> Outcome:
    seconds = seconds_for(hook, looked)
    try:
        async with asyncio.timeout(seconds):
            with looked.acting():
                return await hook.look(looked)
    except TimeoutError:
        return Outcome(FAILED, f"{hook.name} took longer than the {seconds:.0f} s it may")
    except JobFailed as failed:
        return _failed(hook, failed)
    except grpc.aio.AioRpcError as error:
        return _refused(hook, error)
    except (Away, Elsewhere):
        raise
    except Exception as error:  # whatever it was, it closes or marks this file alone
        log.error("hook failed", hook=hook.name, file=looked.file.id, exc_info=error)
        return Outcome(FAILED, f"{hook.name} failed", record={"error": type(error).__name__})


def _failed(hook: Hook, failed: JobFailed) -> Outcome:
    log.warning("hook gave up", hook=hook.name, why=failed.why.value, cause=failed.cause)
    if failed.why is Why.ROOM:
        raise Away(failed.sentence) from failed
    return Outcome(FAILED, failed.sentence, record={"why": failed.why.value})


def _refused(hook: Hook, error: grpc.aio.AioRpcError) -> Outcome:
    found = from_rpc(error)
    reason = Reason.Name(found.reason)
    if found.may_retry:
        raise Away(f"{hook.name} needs a server that does not answer") from error
    log.warning("hook was refused", hook=hook.name, reason=reason)
    return Outcome(FAILED, found.message, record={"reason": reason})
