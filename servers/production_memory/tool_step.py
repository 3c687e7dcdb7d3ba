"""Calls of tools as rows, and back; which of them can be recorded. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from kari.conversation_models.v1.tool_pb2 import (
    ToolCall,
    ToolResult,
    ToolStep,
    ToolStepState,
    ToolUse,
)
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import RecordToolStepsRequest
from servers.production_memory.message import storable, timestamp
from servers.runtime.errors import InvalidRequest
from servers.runtime.names import short
from servers.runtime.queries import Row

AWAITING = ToolStepState.TOOL_STEP_STATE_AWAITING_APPROVAL
ENDED = ToolStepState.TOOL_STEP_STATE_ENDED

# Bytes of arguments and results in one response. gRPC takes 4 MiB, and a turn that asks may stand
# beside a page of messages.
STEPS_BYTES = 2 * 1024 * 1024
PENDING_BYTES = 512 * 1024
"""Of the arguments about which a user is asked at once: they are shown in full, or not asked."""


def step_of(row: Row) -> ToolStep:
    """The call of a row of `tool_steps`."""
    result = row["result"]
    return ToolStep(
        call=ToolCall.FromString(row["call"]),
        round=row["round"],
        text_before=row["text_before"],
        state=ToolStepState.Value(f"TOOL_STEP_STATE_{row['state'].upper()}"),
        result=None if result is None else ToolResult.FromString(result),
        answer_by=timestamp(row["answer_by"]),
        answered_at=timestamp(row["answered_at"]),
    )


def fitting(steps: Sequence[ToolStep], most: int) -> list[ToolStep]:
    """The calls with arguments and results that together have `most` bytes. Where there is more,
    calls that have ended come without their results, which say so, and then without their
    arguments, the oldest first. One that has not ended is whole: it may still be asked, or run."""
    over = sum(map(_size, steps)) - most
    ended = [step for step in steps if step.state == ENDED]
    for step in ended:
        if over > 0 and step.result.result_json:
            over -= len(step.result.result_json.encode())
            step.result.result_json, step.result.truncated = "", True
    for step in ended:
        if over > 0:
            over -= len(step.call.arguments_json.encode())
            step.call.arguments_json = ""
    return list(steps)


def was_allowed(row: Row) -> bool:
    """What the user answered about a call that they were asked about and did answer."""
    if row["state"] != "ended":
        return bool(row["state"] != "denied")
    reason = ToolResult.FromString(row["result"]).error.reason
    return bool(reason != Reason.REASON_APPROVAL_DENIED)


def use_of(row: Row) -> ToolUse:
    """A call as the answer's message names it."""
    return ToolUse(call_id=row["call_id"], tool_id=row["tool_id"], success=row["success"])


def columns_of(steps: Sequence[ToolStep]) -> tuple[list[object], ...]:
    """The columns of these calls, as the statement that records them takes them."""
    return (
        [step.call.id for step in steps],
        [step.round for step in steps],
        [storable(step.call.tool_id) for step in steps],
        [short(ToolStepState, step.state) for step in steps],
        [step.call.SerializeToString() for step in steps],
        [storable(step.text_before) for step in steps],
        [_result(step) for step in steps],
        [step.state == ENDED and step.result.success for step in steps],
        [_answer_by(step) for step in steps],
    )


def require_recordable(request: RecordToolStepsRequest) -> None:
    """Raises InvalidRequest if a call is named twice, has ended without a result, asks without
    saying until when, if more is asked than can be shown, or if the turn is to wait for answers and
    nothing is asked."""
    ids = [step.call.id for step in request.steps]
    if len(set(ids)) < len(ids):
        raise _invalid("`steps` names a call twice; give each as it stands now")
    for place, step in enumerate(request.steps):
        if step.state == ENDED and not step.HasField("result"):
            raise _invalid(f"`steps[{place}].result` is unset, but the call has ended")
        if step.state == AWAITING and not step.HasField("answer_by"):
            raise _invalid(f"`steps[{place}].answer_by` is unset, but the user is asked")
    asked = sum(_size(step) for step in request.steps if step.state == AWAITING)
    if asked > PENDING_BYTES:
        raise _invalid(
            f"`steps` asks about {asked} bytes of arguments, and {PENDING_BYTES} can be shown; "
            "ask about fewer calls at once"
        )
    if request.await_answers and all(step.state != AWAITING for step in request.steps):
        raise nothing_asked()


def nothing_asked() -> InvalidRequest:
    """The turn is to wait, but for nothing."""
    return _invalid("`await_answers` is set, but no step awaits approval")


def _size(step: ToolStep) -> int:
    texts = (step.call.arguments_json, step.result.result_json)
    return sum(len(text.encode()) for text in texts)


def _result(step: ToolStep) -> bytes | None:
    return step.result.SerializeToString() if step.state == ENDED else None


def _answer_by(step: ToolStep) -> datetime | None:
    return step.answer_by.ToDatetime(UTC) if step.HasField("answer_by") else None


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(Reason.REASON_FIELD_INVALID, message)
