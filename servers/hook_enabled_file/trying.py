"""Letting a hook look at a file: within its time, beside others, again if something is away."""

import asyncio
from collections.abc import Sequence

import grpc
import structlog

from kari.errors.v1.errors_pb2 import Reason
from servers.hook_enabled_file.hooks import FAILED, Away, Hook, Looked, Outcome
from servers.hook_enabled_file.metrics import AGAIN
from servers.hook_enabled_file.plan import is_slow, seconds_for
from servers.runtime.errors import from_rpc
from servers.runtime.labelled import labelled
from servers.runtime.limited import JobFailed, Why

PAUSES = (1.0, 4.0, 15.0)
"""Seconds before each further attempt while something is away; after the last it has failed."""
AT_ONCE = 3
SLOW_AT_ONCE = 2
"""Beside the others, which they do not hold up: large files, and recordings that are listened
to."""

log = structlog.get_logger("kari.hook_enabled_file")


class Trying:
    """Bounds what is looked at at the same time, and how long."""

    def __init__(self, pauses: Sequence[float] = PAUSES) -> None:
        self._pauses = pauses
        self._few = asyncio.Semaphore(AT_ONCE)
        self._slow = asyncio.Semaphore(SLOW_AT_ONCE)

    async def look(self, hook: Hook, looked: Looked) -> Outcome:
        """What a hook says; FAILED, with a sentence for people, if it does not come to its end."""
        for pause in self._pauses:
            try:
                return await self._once(hook, looked)
            except Away as away:
                labelled(AGAIN, hook.name).inc()
                log.warning("hook is tried again", hook=hook.name, error=str(away))
                looked.tell(f"{away}; it is tried again")
                await asyncio.sleep(pause)
        try:
            return await self._once(hook, looked)
        except Away as away:
            return Outcome(FAILED, f"{away}; try it again later", record={"away": str(away)[:200]})

    async def _once(self, hook: Hook, looked: Looked) -> Outcome:
        seconds = seconds_for(hook, looked.file)
        slots = self._slow if is_slow(hook, looked.file) else self._few
        try:
            async with slots, asyncio.timeout(seconds):
                return await hook.look(looked)
        except TimeoutError:
            return Outcome(FAILED, f"{hook.name} took longer than the {seconds:.0f} s it may")
        except JobFailed as failed:
            return _failed(hook, failed)
        except grpc.aio.AioRpcError as error:
            return _refused(hook, error)
        except Away:
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
