"""Reporting to the audit trail what the contracts' audit levels ask for.

A call is not held up by its record: records leave together, in the background, and are kept in
memory while the trail is away. What has to be on record before it happens waits for `keep`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice

import grpc
import structlog
from prometheus_client import Counter, Gauge

from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Call, acting, current
from servers.runtime.errors import InvalidRequest, Unavailable, from_rpc
from servers.runtime.ids import new_correlation_id, new_id

Append = Callable[[Sequence[AuditEntry]], Awaitable[object]]
"""Has the trail keep entries; raises AioRpcError if it cannot."""

MOST_TOGETHER = 200
"""As many as the trail takes at once."""
MOST_WAITING = 20_000
"""Records that wait while the trail is away, about 10 MB; what comes then is logged and counted as
lost to the trail."""
FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0
FLUSH_SECONDS = 3.0
KEEP_SECONDS = 5.0

LOST = Counter("kari_audit_records_lost_total", "Records that the audit trail does not have.")
WAITING = Gauge("kari_audit_records_waiting", "Records on their way to the audit trail.")

log = structlog.get_logger("kari.audit")


def entry(
    action: str,
    outcome: AuditOutcome.ValueType,
    *,
    resource: str = "",
    reason: str = "",
    details: Mapping[str, str] | None = None,
) -> AuditEntry:
    """What happens in the current call, now."""
    call = current()
    who = call.principal
    made = AuditEntry(
        id=new_id("rec"),
        tenant_id=who.tenant_id if who else "",
        user_id=who.user_id if who else "",
        action=action,
        resource=resource,
        outcome=outcome,
        reason=reason,
        correlation_id=call.correlation_id,
        details=details or {},
    )
    made.happened_at.GetCurrentTime()
    return made


class AuditTrail:
    """The way of one server to the trail. `run` is one of its loops."""

    def __init__(self, append: Append) -> None:
        self._append = append
        self._waiting: deque[AuditEntry] = deque()
        self._some = asyncio.Event()
        self._sending = asyncio.Lock()

    def report(self, reported: AuditEntry) -> None:
        """Puts a record on its way."""
        if len(self._waiting) >= MOST_WAITING:
            LOST.inc()
            log.error("record lost to the trail", action=reported.action, id=reported.id)
            return
        self._waiting.append(reported)
        WAITING.inc()
        self._some.set()

    async def keep(self, needed: AuditEntry) -> None:
        """Returns when the trail has a record: for what may not happen before. Unavailable if it
        does not answer in time."""
        try:
            async with asyncio.timeout(KEEP_SECONDS):
                with acting(Call(new_correlation_id())):
                    await self._append((needed,))
        except (grpc.aio.AioRpcError, TimeoutError) as failure:
            log.warning("a record was not kept", action=needed.action, error=type(failure).__name__)
            raise Unavailable(
                Reason.REASON_STORE_UNAVAILABLE,
                "the audit trail does not answer, and this may not go unrecorded; try again",
                store="audit",
            ) from failure

    async def run(self) -> None:
        """Sends what waits, for ever; after a failure again, with growing pauses."""
        wait = FIRST_WAIT
        while True:
            await self._some.wait()
            if await self._send():
                wait = FIRST_WAIT
                continue
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    async def flush(self) -> None:
        """Sends what still waits, for as long as a stopping server has and the trail answers."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                while self._waiting and await self._send():
                    pass

    async def close(self) -> None:
        """Counts and logs what the trail will never have."""
        if self._waiting:
            LOST.inc(len(self._waiting))
            log.error("records lost to the trail", ids=[each.id for each in self._waiting])

    async def _send(self) -> bool:
        """Sends the oldest; whether they are kept now. One after the other: a record that is sent
        again is kept once, but those behind it must not be taken for it."""
        async with self._sending:
            group = list(islice(self._waiting, MOST_TOGETHER))
            # Nothing is left if the others sent it while this one waited for its turn.
            return not group or await self._send_group(group)

    async def _send_group(self, group: Sequence[AuditEntry]) -> bool:
        try:
            with acting(Call(new_correlation_id())):
                await self._append(group)
        except grpc.aio.AioRpcError as failure:
            error = from_rpc(failure)
            if isinstance(error, InvalidRequest):
                return await self._refused(group, error)
            log.warning("the audit trail does not answer", error=error.message)
            return False
        self._sent(len(group))
        return True

    async def _refused(self, group: Sequence[AuditEntry], error: InvalidRequest) -> bool:
        """Sends the records of a group one by one: one that the trail will never take must not
        hold up those behind it for ever."""
        if len(group) > 1:
            for each in group:
                if not await self._send_group((each,)):
                    return False
            return True
        LOST.inc()
        log.error(
            "record refused by the trail",
            action=group[0].action,
            id=group[0].id,
            error=error.message,
        )
        self._sent(1)
        return True

    def _sent(self, count: int) -> None:
        for _ in range(count):
            self._waiting.popleft()
        WAITING.dec(count)
        if not self._waiting:
            self._some.clear()
