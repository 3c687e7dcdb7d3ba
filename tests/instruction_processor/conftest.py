"""An instruction processor between scripted peers, all of them real servers on loopback."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio

from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.instruction_processor.v1 import instruction_processor_pb2 as pb
from kari.instruction_processor.v1 import instruction_processor_pb2_grpc
from servers.composition.mesh import put_together
from servers.runtime.call import Principal
from servers.runtime.ids import new_id
from servers.runtime.settings import Settings
from tests.chat_hub.search import ScriptedSearch
from tests.instruction_processor.conversations import ScriptedConversations
from tests.instruction_processor.orchestrator import ScriptedOrchestrator
from tests.stream_processor.serving import Mesh, MeshWiring

if TYPE_CHECKING:
    from kari.instruction_processor.v1.instruction_processor_pb2_grpc import (
        InstructionProcessorServiceAsyncStub,
    )


@dataclass
class Desk:
    """One conversation of the signed-in user, and what commands in it lead to."""

    stub: "InstructionProcessorServiceAsyncStub"
    conversations: ScriptedConversations
    orchestrator: ScriptedOrchestrator
    mesh: Mesh
    models: AsyncExitStack
    user: Principal
    search: ScriptedSearch
    conversation: Conversation = field(default_factory=Conversation)

    async def process(
        self, text: str, request_id: str = "", **fields: object
    ) -> pb.ProcessResponse:
        return await self.stub.Process(
            pb.ProcessRequest(
                conversation_id=self.conversation.id,
                content=text,
                request_id=request_id or new_id("req"),
                **fields,  # type: ignore[arg-type]
            )
        )

    async def answer(self, proposal_id: str, *, accepted: bool) -> pb.AnswerProposalResponse:
        return await self.stub.AnswerProposal(
            pb.AnswerProposalRequest(
                conversation_id=self.conversation.id, proposal_id=proposal_id, accepted=accepted
            )
        )

    async def stop_models(self) -> None:
        """Ends the model factory."""
        await self.models.aclose()


MODELS = """
[providers.acme]
kind = "openai"
base_url = "http://127.0.0.1:9"

[[providers.acme.models]]
id = "plain"
context_window = 8192

[[providers.acme.models]]
id = "large"
context_window = 8192
roles = ["chat.models.large"]
"""
"""A model for everybody and one that takes a role; nobody has to answer for them to be chosen."""


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    file = tmp_path / "models.toml"
    file.write_text(MODELS)
    settings = Settings(data=tmp_path / "data", models_file=file)
    mesh, conversations = Mesh(settings), ScriptedConversations()
    orchestrator, search = ScriptedOrchestrator(), ScriptedSearch()
    async with (
        mesh.serving(conversations.hosted()),
        mesh.serving(orchestrator.hosted()),
        mesh.serving(search.hosted()),
        AsyncExitStack() as models,
    ):
        wiring = MeshWiring(settings, mesh)
        await models.enter_async_context(mesh.serving(put_together("model_factory", wiring)))
        async with mesh.serving(put_together("instruction_processor", wiring)):
            channel = mesh.channel("chat_hub", "instruction_processor")
            stub = instruction_processor_pb2_grpc.InstructionProcessorServiceStub(channel)
            with mesh.user() as user:
                begun = conversations.begin(user.user_id)
                yield Desk(stub, conversations, orchestrator, mesh, models, user, search, begun)
        await wiring.close()
    await mesh.close()
