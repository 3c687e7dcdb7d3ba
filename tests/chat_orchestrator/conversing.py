"""A turn with tools, in short words."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import groupby
from typing import Any

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import (
    AnswerApprovalRequest,
    AnswerApprovalResponse,
)
from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.tool_pb2 import ToolCall, ToolResult
from kari.conversation_models.v1.turn_pb2 import Turn, TurnEvent
from servers.runtime.settings import Settings
from tests.chat_orchestrator.conftest import PEERS, Stage
from tests.chat_orchestrator.scripted_models import CALLER, ScriptedModels
from tests.chat_orchestrator.scripted_tools import ScriptedTools
from tests.hosting import Somebody, hosting


class ToolStage(Stage):
    """A stage with scripted tools."""

    tools: ScriptedTools

    def say(self, *rounds: list[str | ToolCall]) -> None:
        """What the model answers, request by request."""
        self.models.rounds = list(rounds)

    def prompt(self, request: int = -1) -> list[PromptMessage]:
        """What the model was given."""
        return list(self.models.requests[request].messages)

    async def answer(self, turn: Turn, call_id: str, *, approved: bool) -> Turn:
        """Answers a question; the turn."""
        return (await self.answered(turn, call_id, approved=approved)).turn

    async def answered(self, turn: Turn, call_id: str, *, approved: bool) -> AnswerApprovalResponse:
        """Answers a question."""
        request = AnswerApprovalRequest(turn_id=turn.id, call_id=call_id, approved=approved)
        with self.user.acts(self.wiring):
            answered: AnswerApprovalResponse = await self.orchestrator.AnswerApproval(request)
        return answered


async def with_tools(
    stack: AsyncExitStack,
    settings: Settings,
    *,
    after: Stage | None = None,
    models: ScriptedModels | None = None,
    tools: ScriptedTools | None = None,
    peers: Sequence[str] = PEERS,
    **changes: Any,
) -> ToolStage:
    """A stage with a model that calls tools and a registry; with the user and the conversation of
    an earlier one."""
    models, tools = models or ScriptedModels(), tools or ScriptedTools()
    models.model = CALLER
    user = after.user if after is not None else Somebody()
    models.tenant_id = user.tenant_id
    changed = settings.model_copy(update=changes)
    others = [models.hosted(), tools.hosted()]
    wiring = await stack.enter_async_context(
        hosting(changed, *peers, "chat_orchestrator", others=others)
    )
    stage = ToolStage(wiring, models, user)
    stage.tools = tools
    stack.push_async_callback(stage.close)
    if after is None:
        await stage.begin()
    else:
        stage.conversation_id = after.conversation_id
    return stage


def kinds(events: list[TurnEvent]) -> list[str]:
    """Kinds of the events, neighbouring deltas as one."""
    return [kind for kind, _ in groupby(event.WhichOneof("event") or "" for event in events)]


def results(events: list[TurnEvent]) -> list[ToolResult]:
    """What came of the calls."""
    return [event.tool_finished for event in events if event.HasField("tool_finished")]


def question(events: list[TurnEvent]) -> str:
    """The call about which the user is asked last."""
    asked = [e.approval_requested.call.id for e in events if e.HasField("approval_requested")]
    return asked[-1]


def text_of(events: list[TurnEvent]) -> str:
    """What was streamed."""
    return "".join(event.delta.text for event in events)


def arguments(result: ToolResult) -> Any:
    """What an echo gave."""
    return json.loads(result.result_json)
