"""Which events readers get. Pure."""

from collections.abc import Iterable, Sequence

from kari.conversation_models.v1.turn_pb2 import TurnEvent

FINAL = frozenset({"completed", "failed", "cancelled"})
"""Kinds of the last event of a stream."""


def is_final(event: TurnEvent) -> bool:
    """True if no event comes after this one."""
    return event.WhichOneof("event") in FINAL


def kept(events: Sequence[TurnEvent], *, expose_reasoning: bool) -> list[TurnEvent]:
    """The events that readers get: without reasoning, unless it is exposed by configuration, and
    without whatever the writer put where the stream's own numbers go."""
    return [_bare(e) for e in events if expose_reasoning or not e.HasField("reasoning")]


def waits_until(events: Iterable[TurnEvent]) -> int:
    """Until when a turn waits for its user whose stream has these events last, in nanoseconds since
    1970; 0 if it asks for nothing."""
    asked = (event.approval_requested for event in events if event.HasField("approval_requested"))
    return max((question.answer_by.ToNanoseconds() for question in asked), default=0)


def _bare(event: TurnEvent) -> TurnEvent:
    numbered = event.HasField("position") or event.HasField("created_at")
    if not numbered and not event.correlation_id:
        return event
    bare = TurnEvent()
    bare.CopyFrom(event)
    bare.ClearField("position")
    bare.ClearField("correlation_id")
    bare.ClearField("created_at")
    return bare
