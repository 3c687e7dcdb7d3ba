"""The claim of one file: what is said of it is kept, and the claim with it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import grpc
import structlog

from kari.conversation_models.v1.file_pb2 import File, HookReport
from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import ClaimedFile, RecordHooksRequest
from servers.hook_enabled_file.metrics import LATE
from servers.hook_enabled_file.news import News
from servers.runtime.errors import from_rpc

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub

CLAIM_SECONDS = 30.0
RENEW_SECONDS = 10.0
TELL_SECONDS = 1.0

Acts = Callable[[], AbstractContextManager[object]]

log = structlog.get_logger("kari.hook_enabled_file")


class Claim:
    """One file and the right to say something of it. Within `acts` calls are made for its user."""

    def __init__(
        self,
        files: "FileAttachmentServiceAsyncStub",
        news: News,
        claimed: ClaimedFile,
        acts: Acts,
    ) -> None:
        self.file: File = claimed.file
        """As it is kept."""
        self._number = claimed.claim
        self._files = files
        self._news = news
        self._acts = acts
        self._kept = time.monotonic()
        self._telling: HookReport | None = None
        self._recording = asyncio.Lock()

    def tell(self, report: HookReport | None) -> None:
        """How far the hook under way is, to be kept with the next renewal; None once it has
        ended."""
        self._telling = report

    def request(self, reports: Sequence[HookReport] = ()) -> RecordHooksRequest:
        """What is to be kept, to be filled further."""
        return RecordHooksRequest(file_id=self.file.id, claim=self._number, reports=reports)

    async def keep(self, request: RecordHooksRequest) -> None:
        """Keeps what was found; tried again for as long as the claim holds, so that the work of
        minutes is not lost to a store that is away for a moment. AioRpcError if it cannot be."""
        async with self._recording:
            self.file.CopyFrom(await self._recorded(request))

    async def renew(self) -> None:
        """Keeps the claim, and how far the hook under way is, for ever. AioRpcError once the claim
        is lost."""
        while True:
            await asyncio.sleep(TELL_SECONDS)
            if self._telling is None and time.monotonic() - self._kept < RENEW_SECONDS:
                continue
            # One at a time: a report of a hook that runs must not replace that of its end.
            async with self._recording:
                telling, self._telling = self._telling, None
                await self._recorded(self.request([telling] if telling else []))

    async def _recorded(self, request: RecordHooksRequest) -> File:
        while True:
            try:
                with self._acts():
                    response = await self._files.RecordHooks(request)
            except grpc.aio.AioRpcError as error:
                found = from_rpc(error)
                if not found.may_retry or time.monotonic() - self._kept > CLAIM_SECONDS:
                    raise
                LATE.inc()
                log.warning("hooks wait to be kept", error=Reason.Name(found.reason))
                await asyncio.sleep(TELL_SECONDS)
            else:
                break
        self._kept = time.monotonic()
        self._news.tell(request.file_id)
        return response.file
