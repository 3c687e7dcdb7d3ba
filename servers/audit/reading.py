"""Reading the trail: pages of it, and all of it to verify it."""

from collections.abc import AsyncGenerator

from kari.audit.v1.audit_pb2 import ListRecordsRequest, ListRecordsResponse, VerifyResponse
from servers.audit.chain import Key
from servers.audit.checkpoint import Checkpoint
from servers.audit.store import Trail
from servers.audit.verification import Verification
from servers.runtime.paging import size_of

PAGE = 1000


class Reading:
    """Reads what the trail has."""

    def __init__(self, trail: Trail, key: Key, checkpoint: Checkpoint) -> None:
        self._trail = trail
        self._key = key
        self._checkpoint = checkpoint

    async def page(self, request: ListRecordsRequest) -> ListRecordsResponse:
        """Records that match behind a place, or the last of them."""
        last = await self._trail.last()
        wanted = (request.tenant_id, request.user_id, request.action_prefix)
        after = request.after_sequence
        if after < 0:
            after = await self._trail.before_last(last, *wanted, -after)
        most = size_of(request.page_size)
        records = await self._trail.matching(after, last, *wanted, most)
        through = records[-1].sequence if len(records) == most else max(last, after)
        return ListRecordsResponse(records=records, through_sequence=through)

    async def verify(self) -> AsyncGenerator[VerifyResponse, None]:
        """How far it has come, page by page, and the verdict."""
        checkpoint = await self._checkpoint.read()
        head = await self._trail.head()
        if head is None and await self._trail.last():
            # Unless it was written to just now, its end is gone.
            head = await self._trail.head()
        verification = Verification(self._key, head, checkpoint)
        total, verdict = head.sequence if head else 0, None
        while verdict is None and (records := await self._trail.after(verification.verified, PAGE)):
            verdict = verification.look(records)
            yield VerifyResponse(verified=verification.verified, records=total)
        verdict = verdict or verification.end()
        yield VerifyResponse(verified=verification.verified, records=total, verdict=verdict)
