"""Tools of the scripted hub: a calculator that runs at once, and a letter that asks first."""

# ruff: noqa: N802  # rpc methods are named as the contract names them

import asyncio
from collections.abc import AsyncIterator

from kari.chat_hub.v1 import chat_hub_pb2 as hub
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceServicer
from kari.conversation_models.v1.tool_pb2 import (
    ApprovalPolicy,
    Tool,
    ToolCall,
    ToolProgress,
    ToolResult,
    ToolStep,
    ToolStepState,
)
from kari.conversation_models.v1.turn_pb2 import (
    ApprovalAnswered,
    ApprovalRequested,
    ToolStarted,
    Turn,
    TurnEvent,
    TurnState,
)
from kari.errors.v1.errors_pb2 import ErrorEnvelope, ErrorType, Reason
from servers.runtime.errors import NotFound
from servers.runtime.grpc_types import Context
from servers.runtime.ids import new_id

CALCULATOR = Tool(
    id="calculator",
    name="Calculator",
    description="Reckons.",
    approval=ApprovalPolicy.APPROVAL_POLICY_NEVER,
    available=True,
)
LETTER = Tool(
    id="letter",
    name="Letter",
    description="Sends a letter to somebody.",
    approval=ApprovalPolicy.APPROVAL_POLICY_ALWAYS,
    available=True,
)
DENIED = ErrorEnvelope(
    type=ErrorType.ERROR_TYPE_PERMISSION,
    message="the user did not allow the call",
    reason=Reason.REASON_APPROVAL_DENIED,
)


def calculated() -> list[TurnEvent]:
    """What is told of a call that runs at once."""
    call = ToolCall(id=new_id("call"), tool_id="calculator", arguments_json='{"expression":"6*7"}')
    result = ToolResult(
        call_id=call.id, tool_id=call.tool_id, success=True, result_json='{"value":42}'
    )
    return [
        TurnEvent(tool_started=ToolStarted(call=call, tool_name="Calculator", round=1)),
        TurnEvent(tool_progress=ToolProgress(call_id=call.id, message="adding", fraction=0.5)),
        TurnEvent(tool_finished=result),
    ]


LETTER_ARGUMENTS = (
    '{"to":"<b>Bob</b>\u202e","account":12345678901234567891,"text":"' + "x" * 5000 + ' the end"}'
)


def asked() -> list[TurnEvent]:
    """What is told of a call that asks first; the answer comes after."""
    call = ToolCall(id=new_id("call"), tool_id="letter", arguments_json=LETTER_ARGUMENTS)
    requested = ApprovalRequested(call=call, tool_name=LETTER.name, description=LETTER.description)
    requested.answer_by.GetCurrentTime()
    requested.answer_by.seconds += 3600
    return [TurnEvent(approval_requested=requested), *answered(call, approved=True)]


def answered(call: ToolCall, *, approved: bool) -> list[TurnEvent]:
    """What is told once the user has answered."""
    told = TurnEvent(approval_answered=ApprovalAnswered(call_id=call.id, approved=approved))
    if not approved:
        refused = ToolResult(call_id=call.id, tool_id=call.tool_id, error=DENIED)
        return [told, TurnEvent(tool_finished=refused)]
    done = ToolResult(call_id=call.id, tool_id=call.tool_id, success=True, result_json='"sent"')
    return [
        told,
        TurnEvent(tool_started=ToolStarted(call=call, tool_name=LETTER.name, round=1)),
        TurnEvent(tool_finished=done),
    ]


class Questions:
    """What turns ask their users."""

    def __init__(self) -> None:
        self.answered_before: bool | None = None
        """What somebody is taken to have answered elsewhere, just before."""
        self._asked: dict[tuple[str, str], tuple[Turn, asyncio.Future[bool]]] = {}

    async def ask(self, turn: Turn, requested: ApprovalRequested) -> bool:
        """The user's answer."""
        turn.state = TurnState.TURN_STATE_AWAITING_APPROVAL
        step = ToolStep(
            call=requested.call,
            round=1,
            state=ToolStepState.TOOL_STEP_STATE_AWAITING_APPROVAL,
            answer_by=requested.answer_by,
        )
        turn.pending_steps.append(step)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked[turn.id, requested.call.id] = (turn, answer)
        return await answer

    def answer(self, request: hub.AnswerApprovalRequest) -> hub.AnswerApprovalResponse:
        """Keeps an answer; the turn, and which answer holds."""
        found = self._asked.pop((request.turn_id, request.call_id), None)
        if found is None:
            raise NotFound(Reason.REASON_CALL_NOT_FOUND, "nobody asks about this call any more")
        turn, answer = found
        del turn.pending_steps[:]
        turn.state = TurnState.TURN_STATE_RUNNING_TOOL
        earlier = self.answered_before
        held = request.approved if earlier is None else earlier
        answer.set_result(held)
        return hub.AnswerApprovalResponse(turn=turn, approved=held)


class ScriptedTools(ChatHubServiceServicer):
    """The rpcs of tools."""

    def __init__(self) -> None:
        self.questions = Questions()

    async def ListTools(
        self, request: hub.ListToolsRequest, context: Context
    ) -> hub.ListToolsResponse:
        """Both."""
        return hub.ListToolsResponse(tools=[CALCULATOR, LETTER])

    async def CallTool(
        self, request: hub.CallToolRequest, context: Context
    ) -> AsyncIterator[hub.CallToolResponse]:
        """Reckons; a letter needs an approval."""
        yield hub.CallToolResponse(progress=ToolProgress(message="adding", text="6 * 7\n"))
        done = ToolResult(tool_id=request.tool_id, success=True, result_json='{"value":42}')
        yield hub.CallToolResponse(finished=done)

    async def AnswerApproval(
        self, request: hub.AnswerApprovalRequest, context: Context
    ) -> hub.AnswerApprovalResponse:
        """Lets the turn go on."""
        return self.questions.answer(request)
