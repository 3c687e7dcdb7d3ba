"""The end of a turn from what is stored of it, for when its events are gone. Pure."""

from kari.conversation_manager.v1.conversation_manager_pb2 import GetTurnResponse
from kari.conversation_models.v1.turn_pb2 import (
    Cancelled,
    Completed,
    Failed,
    StreamPosition,
    Turn,
    TurnEvent,
    TurnState,
)

OVER = frozenset(
    {
        TurnState.TURN_STATE_COMPLETED,
        TurnState.TURN_STATE_FAILED,
        TurnState.TURN_STATE_CANCELLED,
    }
)


def is_over(turn: Turn) -> bool:
    """True if a turn has ended, however it did."""
    return turn.state in OVER


def end_of(stored: GetTurnResponse, place: StreamPosition | None = None) -> TurnEvent:
    """The last event of a turn that is over, at its place in the stream. Without a place it has no
    number: the stream that had them is gone."""
    turn = stored.turn
    answer = stored.answer if stored.HasField("answer") else None
    event = TurnEvent(
        position=place or StreamPosition(stream_id=turn.id),
        correlation_id=turn.correlation_id,
        created_at=turn.ended_at,
    )
    match turn.state:
        case TurnState.TURN_STATE_COMPLETED:
            event.completed.CopyFrom(Completed(message=answer))
        case TurnState.TURN_STATE_FAILED:
            event.failed.CopyFrom(Failed(error=turn.error, message=answer))
        case _:
            event.cancelled.CopyFrom(Cancelled(message=answer))
    return event
