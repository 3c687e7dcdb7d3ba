"""The turns of a process: each is led once, and a stopping process leaves none behind."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import StartTurnRequest
from kari.context_integrator.v1.context_integrator_pb2_grpc import ContextIntegratorServiceStub
from kari.conversation_manager.v1.conversation_manager_pb2 import GetConversationRequest
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from kari.conversation_models.v1.audit_pb2 import AuditEntry
from kari.conversation_models.v1.turn_pb2 import Turn, TurnState, WhenBusy
from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceStub
from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceStub
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from kari.stream_processor.v1.stream_processor_pb2_grpc import StreamProcessorServiceStub
from kari.tool_integration.v1.tool_integration_pb2_grpc import ToolIntegrationServiceStub
from servers.chat_orchestrator.peers import Peers
from servers.chat_orchestrator.turns import Turns
from servers.runtime.audit_trail import AuditTrail
from servers.runtime.settings import Settings
from tests.chat_orchestrator.conftest import Stage, staged, until_waiting
from tests.hosting import connect_as, until

ENQUEUE = WhenBusy.WHEN_BUSY_ENQUEUE


async def nowhere(_entries: Sequence[AuditEntry]) -> None:
    """A trail that nobody reads."""


def turns_of(stage: Stage, settings: Settings) -> Turns:
    """Those of an orchestrator on this stage that nobody calls over the mesh."""
    stub = partial(stage.wiring.stub, "chat_orchestrator")
    peers = Peers(
        conversations=stub("conversation_manager", ConversationManagerServiceStub),
        context=stub("context_integrator", ContextIntegratorServiceStub),
        memory=stub("production_memory", ProductionMemoryServiceStub),
        models=stub("model_factory", ModelFactoryServiceStub),
        streams=stub("stream_processor", StreamProcessorServiceStub),
        tools=stub("tool_integration", ToolIntegrationServiceStub),
        media=stub("multimedia", MultimediaServiceStub),
        trail=AuditTrail(nowhere),
    )
    return Turns(peers, settings, stage.wiring.mesh_key)


async def test_a_message_that_is_being_committed_when_the_process_stops_is_answered(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """There is time left: nobody is told to send it again."""
    stage = await staged(stack, settings, without="chat_orchestrator")
    turns = turns_of(stage, settings)
    request = StartTurnRequest(
        conversation_id=stage.conversation_id, content="hello", request_id="last"
    )
    with stage.user.acts(stage.wiring):
        beginning = asyncio.create_task(turns.begin(request))
        for _ in range(3):  # its BeginTurn leaves, and cannot be back from the disk yet
            await asyncio.sleep(0)
        await turns.drain()
        turn, _ = await beginning
    assert (await stage.stored(turn)).turn.state == TurnState.TURN_STATE_COMPLETED


async def test_a_waiting_turn_that_is_asked_for_again_when_its_time_comes_is_led_once(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """The end of the turn before it and the repeated request bring the same claim to it."""
    stage = await staged(stack, settings)
    first = await stage.start("wait for it")
    await until_waiting(stage.models)
    again = partial(stage.start, "wait again", request_id="next", when_busy=ENQUEUE)
    turn = await again()
    async with snapshots_held(settings, stage):
        stage.models.release.set()
        await stage.events(first)
        stage.models.release.clear()
        await again()
        await until(partial(asked, stage, 2))
    await until(partial(recorded, stage, first))
    for _ in range(100):  # time for a second leader, if there were one
        await asyncio.sleep(0.001)
    stage.models.release.set()
    events = await stage.events(turn)
    assert "".join(event.delta.text for event in events) == "Hello world"
    assert await asked(stage, 2)


async def asked(stage: Stage, times: int) -> bool:
    """Whether models were asked so many times."""
    return len(stage.models.requests) == times


async def recorded(stage: Stage, turn: Turn) -> bool:
    """Whether a turn's snapshot is the conversation's."""
    with stage.user.acts(stage.wiring):
        request = GetConversationRequest(conversation_id=stage.conversation_id)
        conversation = (await stage.conversations.GetConversation(request)).conversation
    return bool(conversation.context_snapshot.turn_id == turn.id)


@asynccontextmanager
async def snapshots_held(settings: Settings, stage: Stage) -> AsyncIterator[None]:
    """Inside the block a turn that has ended cannot record its snapshot."""
    connection = await connect_as(settings, "conversation_manager", stage.user.tenant_id)
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT FROM conversations WHERE id = $1 FOR UPDATE", stage.conversation_id
            )
            yield
    finally:
        await connection.close()
