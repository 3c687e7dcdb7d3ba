"""Events as a writer makes them, and what readers make of them."""

import time
from collections.abc import Iterable

from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.turn_pb2 import Cancelled, Completed, TextDelta, TurnEvent
from servers.runtime.ids import new_id


def delta(text: str) -> TurnEvent:
    return TurnEvent(delta=TextDelta(text=text))


def deltas(text: str) -> list[TurnEvent]:
    """One delta for each word."""
    return [delta(word + " ") for word in text.split()]


def reasoning(text: str) -> TurnEvent:
    return TurnEvent(reasoning=TextDelta(text=text))


def completed(text: str = "") -> TurnEvent:
    return TurnEvent(completed=Completed(message=Message(content=text)))


def cancelled() -> TurnEvent:
    return TurnEvent(cancelled=Cancelled())


def question(seconds: float) -> TurnEvent:
    """The user is asked and may answer within so many seconds."""
    event = TurnEvent()
    event.approval_requested.answer_by.FromNanoseconds(int((time.time() + seconds) * 1e9))
    return event


def text_of(events: Iterable[TurnEvent]) -> str:
    return "".join(event.delta.text for event in events)


def kinds_of(events: Iterable[TurnEvent]) -> list[str | None]:
    return [event.WhichOneof("event") for event in events]


def seqs_of(events: Iterable[TurnEvent]) -> list[int]:
    return [event.position.seq for event in events]


def a_turn() -> str:
    return new_id("turn")
