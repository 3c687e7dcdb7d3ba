"""Production memory as the chat orchestrator uses it: short words for long requests."""

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import asyncpg
import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.model_pb2 import Usage
from kari.conversation_models.v1.turn_pb2 import TurnState, WhenBusy
from kari.errors.v1.errors_pb2 import ErrorEnvelope
from kari.production_memory.v1 import production_memory_pb2 as contract
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.runtime.errors import envelope_of
from servers.runtime.ids import new_id
from servers.wiring import Wiring
from tests.hosting import Somebody, connect_as
from tests.production_memory.embedder import Embedder

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

COMPLETED = TurnState.TURN_STATE_COMPLETED
FAILED = TurnState.TURN_STATE_FAILED
CANCELLED = TurnState.TURN_STATE_CANCELLED
ENQUEUE = WhenBusy.WHEN_BUSY_ENQUEUE
INTERRUPT = WhenBusy.WHEN_BUSY_INTERRUPT


@dataclass(frozen=True)
class Memory:
    """A production memory, a user and a conversation of theirs."""

    wiring: Wiring
    embedder: Embedder
    somebody: Somebody
    conversation_id: str = field(default_factory=lambda: new_id("conv"))
    owner: str = "orchestrator-1"
    lease_seconds: float = 30.0

    @property
    def stub(self) -> "ProductionMemoryServiceAsyncStub":
        return self.wiring.stub(
            "chat_orchestrator", "production_memory", ProductionMemoryServiceStub
        )

    def as_somebody(self, **changes: Any) -> "Memory":
        """The same server in the hands of somebody else, with a conversation of their own."""
        return replace(self, somebody=Somebody(**changes), conversation_id=new_id("conv"))

    def lease(self, number: int = 0) -> contract.Lease:
        duration = Duration()
        duration.FromNanoseconds(int(self.lease_seconds * 1e9))
        return contract.Lease(owner=self.owner, number=number, duration=duration)

    async def begin(self, content: str = "hello", **fields: Any) -> contract.BeginTurnResponse:
        fields = {"request_id": new_id("req"), "lease": self.lease()} | fields
        return await self.stub.BeginTurn(
            contract.BeginTurnRequest(
                conversation_id=self.conversation_id, content=content, **fields
            )
        )

    async def finish(
        self, turn_id: str, content: str = "hi", *, number: int = 1, **fields: Any
    ) -> contract.FinishTurnResponse:
        fields = {"state": COMPLETED, "usage": Usage(completion_tokens=3)} | fields
        return await self.stub.FinishTurn(
            contract.FinishTurnRequest(
                turn_id=turn_id, content=content, lease=self.lease(number), **fields
            )
        )

    async def exchange(self, question: str, answer: str) -> contract.FinishTurnResponse:
        """One whole turn."""
        return await self.finish((await self.begin(question)).led_turn.turn.id, answer)

    async def renew(self, turn_id: str, number: int = 1) -> contract.RenewLeaseResponse:
        request = contract.RenewLeaseRequest(turn_id=turn_id, lease=self.lease(number))
        return await self.stub.RenewLease(request)

    async def advance(self, turn_id: str, number: int = 1, **fields: Any) -> bool:
        response = await self.stub.AdvanceTurn(
            contract.AdvanceTurnRequest(turn_id=turn_id, lease=self.lease(number), **fields)
        )
        return response.cancel_requested

    async def claim(self) -> contract.LedTurn | None:
        response = await self.stub.ClaimTurn(
            contract.ClaimTurnRequest(conversation_id=self.conversation_id, lease=self.lease())
        )
        return response.led_turn if response.HasField("led_turn") else None

    async def claim_abandoned(self) -> list[contract.LedTurn]:
        """Those of this tenant, of all that were claimed."""
        response = await self.stub.ClaimAbandonedTurns(
            contract.ClaimAbandonedTurnsRequest(lease=self.lease(), limit=100)
        )
        return [led for led in response.led_turns if led.tenant_id == self.somebody.tenant_id]

    async def cancel(self, turn_id: str) -> contract.RequestCancelResponse:
        return await self.stub.RequestCancel(contract.RequestCancelRequest(turn_id=turn_id))

    async def turn(self, turn_id: str) -> contract.GetTurnResponse:
        return await self.stub.GetTurn(contract.GetTurnRequest(turn_id=turn_id))

    async def messages(self, **fields: Any) -> contract.ListMessagesResponse:
        return await self.stub.ListMessages(
            contract.ListMessagesRequest(conversation_id=self.conversation_id, **fields)
        )

    async def by_id(self, *ids: str) -> list[Message]:
        request = contract.GetMessagesRequest(conversation_id=self.conversation_id, message_ids=ids)
        return list((await self.stub.GetMessages(request)).messages)

    async def recent(self, through_sequence: int = 100) -> list[Message]:
        request = contract.ListRecentMessagesRequest(
            conversation_id=self.conversation_id, through_sequence=through_sequence, limit=100
        )
        return list((await self.stub.ListRecentMessages(request)).messages)

    async def connect(self, tenant_id: str | None = None) -> asyncpg.Connection:
        """A connection with the server's own role and rights, its tenant set."""
        return await connect_as(self.wiring.settings, "production_memory", tenant_id)


async def refusal(call: Awaitable[object]) -> ErrorEnvelope:
    """The envelope with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    envelope = envelope_of(caught.value)
    if envelope is None:
        raise caught.value
    return envelope
