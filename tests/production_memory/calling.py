"""Calls of tools as the chat orchestrator records them: short words for long requests."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kari.conversation_models.v1.tool_pb2 import ToolCall, ToolResult, ToolStep, ToolStepState
from kari.errors.v1.errors_pb2 import ErrorEnvelope, ErrorType
from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.runtime.ids import new_id
from tests.production_memory.memory import Memory

RUNNING = ToolStepState.TOOL_STEP_STATE_RUNNING
AWAITING = ToolStepState.TOOL_STEP_STATE_AWAITING_APPROVAL
APPROVED = ToolStepState.TOOL_STEP_STATE_APPROVED
DENIED = ToolStepState.TOOL_STEP_STATE_DENIED
ENDED = ToolStepState.TOOL_STEP_STATE_ENDED
HOUR = 3600.0


def step(
    tool_id: str = "calculator",
    state: ToolStepState.ValueType = RUNNING,
    arguments: object = None,
    **fields: Any,
) -> ToolStep:
    """A call of a tool, of the first round unless told which."""
    call = ToolCall(id=new_id("call"), tool_id=tool_id, arguments_json=json.dumps(arguments or {}))
    return ToolStep(**({"call": call, "round": 1, "state": state} | fields))


def asked(tool_id: str = "mail.send", seconds: float = HOUR, **fields: Any) -> ToolStep:
    """A call about which the user is asked, for so many seconds."""
    answer_by = Timestamp()
    answer_by.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
    return step(tool_id, AWAITING, answer_by=answer_by, **fields)


def ended(step: ToolStep, result_json: str = '"done"') -> ToolStep:
    """The call, which did what it was asked."""
    result = ToolResult(
        call_id=step.call.id, tool_id=step.call.tool_id, success=True, result_json=result_json
    )
    return _with(step, state=ENDED, result=result)


def failed(step: ToolStep) -> ToolStep:
    """The call, which failed."""
    error = ErrorEnvelope(type=ErrorType.ERROR_TYPE_TIMEOUT, message="it took too long")
    result = ToolResult(call_id=step.call.id, tool_id=step.call.tool_id, error=error)
    return _with(step, state=ENDED, result=result)


def _with(step: ToolStep, **fields: Any) -> ToolStep:
    changed = ToolStep(**fields)
    merged = ToolStep()
    merged.CopyFrom(step)
    merged.MergeFrom(changed)
    return merged


async def record(
    memory: Memory, turn_id: str, *steps: ToolStep, number: int = 1, wait: bool = False
) -> bool:
    """Whether the turn was called off."""
    response = await memory.stub.RecordToolSteps(
        contract.RecordToolStepsRequest(
            turn_id=turn_id, lease=memory.lease(number), steps=steps, await_answers=wait
        )
    )
    return response.cancel_requested


async def asking(memory: Memory, *steps: ToolStep, content: str = "mail it") -> str:
    """The id of a turn that waits for its user."""
    turn_id = (await memory.begin(content)).led_turn.turn.id
    await memory.advance(turn_id)
    await record(memory, turn_id, *steps, wait=True)
    return turn_id


async def answer(
    memory: Memory, turn_id: str, step: ToolStep, *, approved: bool = True
) -> contract.AnswerApprovalResponse:
    return await memory.stub.AnswerApproval(
        contract.AnswerApprovalRequest(
            turn_id=turn_id, call_id=step.call.id, approved=approved, lease=memory.lease()
        )
    )


async def steps_of(memory: Memory, turn_id: str) -> list[ToolStep]:
    request = contract.ListToolStepsRequest(turn_id=turn_id)
    return list((await memory.stub.ListToolSteps(request)).steps)


def other_leader(memory: Memory, name: str = "orchestrator-2") -> Memory:
    """The same user's request by way of another process."""
    return replace(memory, owner=name)
