"""How a turn's end is stored and told. Pure."""

from kari.conversation_models.v1.model_pb2 import Usage
from kari.conversation_models.v1.turn_pb2 import (
    Cancelled,
    Completed,
    Failed,
    TurnEvent,
    TurnState,
)
from kari.errors.v1.errors_pb2 import ErrorEnvelope
from kari.production_memory.v1.production_memory_pb2 import FinishTurnRequest, FinishTurnResponse
from servers.chat_orchestrator import turn
from servers.chat_orchestrator.answer import Answer
from servers.chat_orchestrator.prompt import APOLOGY
from servers.runtime.durations import duration


def finish_request(
    answer: Answer,
    state: TurnState.ValueType,
    error: ErrorEnvelope | None,
    *,
    began: float,
    now: float,
) -> FinishTurnRequest:
    """What is stored of an answer, without the turn and the claim to it. A turn that failed without
    a word gets an apology. `began` and `now` are in seconds of a monotonic clock."""
    apology = state == turn.FAILED and not answer.begun
    return FinishTurnRequest(
        state=state,
        content=APOLOGY if apology else answer.text,
        partial=state != turn.COMPLETED and answer.begun,
        model_used="" if apology else answer.model,
        error=error,
        usage=_usage(answer, began, now),
        degradations=answer.degradations,
        apology=apology,
    )


def final_event(finished: FinishTurnResponse, answer: Answer) -> TurnEvent:
    """The last event of a stream. Made from what was committed, so that the two always agree."""
    message = finished.answer if finished.HasField("answer") else None
    if finished.turn.state == turn.COMPLETED:
        return TurnEvent(completed=Completed(message=message, finish_reason=answer.finish_reason))
    if finished.turn.state == turn.CANCELLED:
        return TurnEvent(cancelled=Cancelled(message=message))
    return TurnEvent(failed=Failed(error=finished.turn.error, message=message))


def _usage(answer: Answer, began: float, now: float) -> Usage:
    usage = Usage()
    usage.CopyFrom(answer.usage)
    usage.duration.CopyFrom(duration(now - began))
    if answer.first_text_at is not None:
        usage.time_to_first_token.CopyFrom(duration(answer.first_text_at - began))
    return usage
