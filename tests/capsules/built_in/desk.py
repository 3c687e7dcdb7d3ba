"""Somebody with a conversation, the capsules server, and a model that says what it is told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    CreateConversationRequest,
    UpdateConversationRequest,
)
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from kari.conversation_models.v1.context_pb2 import ContextManifest
from kari.conversation_models.v1.conversation_pb2 import ConversationChange
from servers.runtime.ids import new_id
from tests.capsules.built_in.scripted_code import ScriptedCode
from tests.capsules.built_in.site import Site
from tests.capsules.workshop import Workshop
from tests.hosting import Somebody
from tests.production_memory.embedder import Embedder
from tests.production_memory.memory import Memory
from tests.upstream.script import Script
from tests.upstream.server import Upstream

ROLES = frozenset({"chat.user", "chat.config.edit", "chat.tools.search", "chat.tools.code"})
MODEL, SMALL = "clever", "local/smollm2-135m"


@dataclass
class Desk(Workshop):
    """A workshop with a conversation."""

    somebody: Somebody = field(default_factory=lambda: Somebody(roles=ROLES))
    upstream: Upstream = field(default_factory=Upstream)
    web: Site = field(default_factory=Site)
    code: ScriptedCode = field(default_factory=ScriptedCode)
    conversation_id: str = ""

    @property
    def memory(self) -> Memory:
        """The conversation, as the orchestrator writes it."""
        return Memory(self.wiring, Embedder(), self.somebody, self.conversation_id)

    async def begin(self) -> None:
        """Opens the conversation."""
        stub = self.wiring.stub("chat_hub", "conversation_manager", ConversationManagerServiceStub)
        with self.somebody.acts(self.wiring):
            request = CreateConversationRequest(request_id=new_id("req"))
            self.conversation_id = (await stub.CreateConversation(request)).conversation.id

    async def choose(self, model: str) -> None:
        """Makes a model that of the conversation."""
        stub = self.wiring.stub(
            "instruction_processor", "conversation_manager", ConversationManagerServiceStub
        )
        with self.somebody.acts(self.wiring):
            await stub.UpdateConversation(
                UpdateConversationRequest(
                    conversation_id=self.conversation_id,
                    request_id=new_id("req"),
                    changes=[ConversationChange(model=model)],
                )
            )

    def model_says(self, *answers: Any) -> None:
        """What the capable model answers, one a request; what is no text or script, as JSON."""
        self.upstream.requests.clear()
        self.upstream.scripts[MODEL] = [_script(answer) for answer in answers]

    def asked(self, place: int) -> Any:
        """What the model was given to read in its request of this place, from JSON."""
        return json.loads(self.upstream.asked(MODEL)[place].body["messages"][-1]["content"])

    def told_to(self, place: int) -> str:
        """The instructions of a request."""
        text: str = self.upstream.asked(MODEL)[place].body["messages"][0]["content"]
        return text

    async def exchange(
        self, question: str, answer: str, manifest: ContextManifest | None = None, **end: Any
    ) -> tuple[str, str]:
        """One whole turn; the ids of its two messages. A manifest's candidate without an id is the
        question."""
        with self.somebody.acts(self.wiring):
            begun = await self.memory.begin(question)
            turn = begun.led_turn.turn
            if manifest is not None:
                for each in manifest.candidates:
                    if not (each.message_id or each.memory_id):
                        each.message_id = turn.user_message_id
                await self.memory.advance(turn.id, manifest=manifest)
            done = await self.memory.finish(turn.id, answer, **end)
            return turn.user_message_id, done.turn.assistant_message_id

    async def here(self, name: str, given: Any = None) -> Any:
        """What a capsule gives that is run for the conversation."""
        return await self.result(name, given, conversation_id=self.conversation_id)

    async def warnings(self, name: str, given: Any = None) -> list[str]:
        """What it warns of."""
        finished = await self.run(name, given, conversation_id=self.conversation_id)
        assert finished.success, finished
        return [each.message for each in finished.warnings]


def _script(answer: Any) -> Script:
    if isinstance(answer, Script):
        return answer
    return Script(chunks=_pieces(answer if isinstance(answer, str) else json.dumps(answer)))


def _pieces(text: str) -> Sequence[str]:
    return tuple(text[start : start + 40] for start in range(0, len(text), 40))
