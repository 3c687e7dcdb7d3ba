"""The context integrator as the orchestrator uses it, over messages that production memory has."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from google.protobuf.duration_pb2 import Duration

from kari.context_integrator.v1.context_integrator_pb2 import (
    AssembleRequest,
    AssembleResponse,
    ReplayContextRequest,
    ReplayContextResponse,
)
from kari.context_integrator.v1.context_integrator_pb2_grpc import ContextIntegratorServiceStub
from kari.conversation_models.v1.context_pb2 import ContextManifest, ContextSource, ContextVerdict
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.message_pb2 import Message
from kari.production_memory.v1.production_memory_pb2 import (
    AdvanceTurnRequest,
    BeginTurnRequest,
    FinishTurnRequest,
    Lease,
    LedTurn,
    RememberRequest,
    RememberResponse,
)
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.runtime.ids import new_id
from tests.conversation_search.library import Library
from tests.production_memory.memory import COMPLETED

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )


@dataclass(frozen=True)
class Desk:
    """Somebody with conversations, and what answers are made from."""

    library: Library

    @property
    def memory(self) -> "ProductionMemoryServiceAsyncStub":
        """Production memory, as the orchestrator calls it."""
        return self.library.wiring.stub(
            "chat_orchestrator", "production_memory", ProductionMemoryServiceStub
        )

    def as_somebody(self, **changes: Any) -> "Desk":
        """The same servers in the hands of somebody else."""
        return replace(self, library=self.library.as_somebody(**changes))

    async def asked(self, conversation_id: str, content: str, *file_ids: str) -> LedTurn:
        """A turn that has begun with these files."""
        begun = await self.memory.BeginTurn(
            BeginTurnRequest(
                conversation_id=conversation_id,
                content=content,
                request_id=new_id("req"),
                lease=lease(),
                file_ids=file_ids,
            )
        )
        return begun.led_turn

    async def assembled(
        self, message: Message, budget: int = 2000, **conversation: Any
    ) -> AssembleResponse:
        """The prompt of a message."""
        stub = self.library.wiring.stub(
            "chat_orchestrator", "context_integrator", ContextIntegratorServiceStub
        )
        fields = {"participant_ids": [self.library.somebody.user_id]} | conversation
        request = AssembleRequest(
            conversation=Conversation(id=message.conversation_id, **fields),
            current_message=message,
            budget_tokens=budget,
        )
        return await stub.Assemble(request)

    async def answered(self, led: LedTurn, manifest: ContextManifest) -> None:
        """Ends a turn whose prompt had this manifest."""
        claim = lease(led.lease.number)
        await self.memory.AdvanceTurn(
            AdvanceTurnRequest(turn_id=led.turn.id, lease=claim, manifest=manifest)
        )
        await self.memory.FinishTurn(
            FinishTurnRequest(turn_id=led.turn.id, lease=claim, state=COMPLETED, content="so")
        )

    async def replayed(self, turn_id: str) -> ReplayContextResponse:
        """The prompt of a turn, again."""
        stub = self.library.wiring.stub(
            "chat_orchestrator", "context_integrator", ContextIntegratorServiceStub
        )
        return await stub.ReplayContext(ReplayContextRequest(turn_id=turn_id))

    async def remembered(self, content: str, **fields: Any) -> RememberResponse:
        """Something that the user asked to remember."""
        request = RememberRequest(request_id=new_id("req"), content=content, **fields)
        return await self.memory.Remember(request)


def lease(number: int = 0) -> Lease:
    """A claim of a minute."""
    return Lease(owner="desk", number=number, duration=Duration(seconds=60))


def told(response: AssembleResponse) -> str:
    """The system message."""
    return response.bundle.messages[0].content


def kept(response: AssembleResponse) -> list[str]:
    """Sources of what is in the prompt, beside the instructions and the message."""
    keeps = (
        ContextVerdict.CONTEXT_VERDICT_KEPT,
        ContextVerdict.CONTEXT_VERDICT_SHORTENED,
    )
    return [
        ContextSource.Name(c.source).removeprefix("CONTEXT_SOURCE_").lower()
        for c in response.bundle.manifest.candidates[2:]
        if c.verdict in keeps
    ]
