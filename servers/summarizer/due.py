"""Summaries that are due: claimed, made and written, without being asked.

A claim that is not answered runs out and is given again, to whoever claims next: so a summary is
made however often somebody dies over it, and writing it again changes nothing.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import structlog

from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.summary_pb2 import MessageRange, SummaryKind
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import (
    ClaimSummariesRequest,
    Lease,
    ListMessagesRequest,
    SummaryTask,
    WriteSummaryRequest,
)
from servers.runtime.call import Call, acting
from servers.runtime.durations import duration
from servers.runtime.errors import from_rpc
from servers.runtime.ids import new_correlation_id
from servers.runtime.labelled import labelled
from servers.runtime.mesh_key import MeshKey
from servers.runtime.names import short
from servers.runtime.settings import Settings
from servers.summarizer.metrics import FAILURES
from servers.summarizer.passages import episode, passages_of
from servers.summarizer.summarizing import Summarizing

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

NAME = "summarizer"
ROLES = frozenset({"chat.user"})
MOST_AT_ONCE = 2
"""One waits for a model while another one's sentences are embedded."""
LEASE_SECONDS = 120.0
"""Longer than a task takes: half a minute of a model, and the embedder beside others."""
LOOK_SECONDS = 5.0
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
PAGE = 200

log = structlog.get_logger("kari.summarizer")


class Due:
    """Sees to what is due. `run` is one of the server's loops."""

    def __init__(
        self,
        memory: "ProductionMemoryServiceAsyncStub",
        summarizing: Summarizing,
        settings: Settings,
        mesh_key: MeshKey,
    ) -> None:
        self._memory = memory
        self._summarizing = summarizing
        self._turns = settings.summary_turns
        self._rest = timedelta(seconds=settings.summary_rest_seconds)
        self._mesh_key = mesh_key
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    async def run(self) -> None:
        """Claims and does a few at a time, for ever. It rests as long as it worked, so that others
        have the embedder meanwhile; after a failure it waits, twice as long each time, for what
        failed is likely away."""
        wait = 0.0
        while True:
            began = time.monotonic()
            done = await self.step()
            if not all(done):
                wait = min(wait * 2 or FIRST_WAIT, LONGEST_WAIT)
                await asyncio.sleep(wait)
                continue
            wait, worked = 0.0, time.monotonic() - began
            look = min(LOOK_SECONDS, self._rest.total_seconds())
            await asyncio.sleep(min(worked, LOOK_SECONDS) if done else look)

    async def step(self) -> list[bool]:
        """Claims what is due and does it; whether each was done. Empty if nothing is due."""
        lease = Lease(owner=self._owner, duration=duration(LEASE_SECONDS))
        request = ClaimSummariesRequest(
            lease=lease,
            limit=MOST_AT_ONCE,
            rolling_turns=self._turns,
            rest=duration(self._rest.total_seconds()),
        )
        try:
            with acting(Call(new_correlation_id())):
                claimed = await self._memory.ClaimSummaries(request)
        except grpc.aio.AioRpcError as error:
            log.warning("summaries cannot be claimed", error=_cause(error))
            return [False]
        return await asyncio.gather(*(self._tried(task) for task in claimed.tasks))

    async def _tried(self, task: SummaryTask) -> bool:
        """Does a task for the user who spoke last; whether it could be done."""
        who = self._mesh_key.delegate(
            NAME, user_id=task.user_id, tenant_id=task.tenant_id, roles=ROLES
        )
        with acting(Call(new_correlation_id(), principal=who)):
            try:
                await self._do(task)
            except grpc.aio.AioRpcError as error:
                labelled(FAILURES, _cause(error)).inc()
                log.warning("no summary", conversation=task.conversation_id, error=_cause(error))
                return False
            except Exception as error:  # whatever it was, other conversations are due as well
                labelled(FAILURES, "REASON_INTERNAL").inc()
                log.error("no summary", conversation=task.conversation_id, exc_info=error)
                return False
        return True

    async def _do(self, task: SummaryTask) -> None:
        messages: Sequence[Message] = await self._messages(task)
        if task.kind == SummaryKind.SUMMARY_KIND_EPISODIC:
            messages = episode(messages, self._rest)
        kind = short(SummaryKind, task.kind)
        summary = await self._summarizing.make(passages_of(messages), kind)
        summary.conversation_id, summary.kind = task.conversation_id, task.kind
        summary.message_range.CopyFrom(_range(messages))
        response = await self._memory.WriteSummary(WriteSummaryRequest(summary=summary))
        log.info(
            "summarized",
            summary=response.summary.id,
            kind=kind,
            messages=len(messages),
            model=summary.model_used,
            repeated=response.repeated_request,
        )

    async def _messages(self, task: SummaryTask) -> list[Message]:
        """The messages that the task covers, in order."""
        found, token, more = list[Message](), "", True
        while more:
            page = await self._memory.ListMessages(
                ListMessagesRequest(
                    conversation_id=task.conversation_id,
                    through_sequence=task.last_sequence,
                    page_size=PAGE,
                    page_token=token,
                )
            )
            found += page.messages
            token = page.next_page_token
            more = bool(token) and found[-1].sequence > task.first_sequence
        covered = [message for message in found if message.sequence >= task.first_sequence]
        return covered[::-1]


def _range(messages: Sequence[Message]) -> MessageRange:
    return MessageRange(
        first_message_id=messages[0].id,
        last_message_id=messages[-1].id,
        first_sequence=messages[0].sequence,
        last_sequence=messages[-1].sequence,
    )


def _cause(error: grpc.aio.AioRpcError) -> str:
    return Reason.Name(from_rpc(error).reason)
