"""Several deltas as one."""

from hypothesis import given
from hypothesis import strategies as st

from kari.conversation_models.v1.model_pb2 import Usage
from kari.conversation_models.v1.turn_pb2 import TurnEvent
from servers.stream_processor.coalescing import MOST_CHARACTERS, coalesced
from tests.stream_processor.events import (
    completed,
    delta,
    kinds_of,
    reasoning,
    seqs_of,
    text_of,
)


def placed(*events: TurnEvent) -> list[TurnEvent]:
    for seq, event in enumerate(events, start=1):
        event.position.seq = seq
        event.correlation_id = "corr"
        event.created_at.seconds = seq
    return list(events)


def test_neighbouring_deltas_become_one_with_the_place_of_the_last() -> None:
    (joined,) = coalesced(placed(delta("a"), delta("b"), delta("c")))
    assert joined.delta.text == "abc"
    assert joined.position.seq == 3
    assert (joined.correlation_id, joined.created_at.seconds) == ("corr", 3)


def test_a_delta_alone_is_left_as_it_is() -> None:
    (event,) = placed(delta("a"))
    assert list(coalesced([event])) == [event]


def test_deltas_are_never_joined_across_another_event() -> None:
    events = placed(delta("a"), TurnEvent(usage=Usage()), delta("b"), delta("c"), completed())
    joined = list(coalesced(events))
    assert kinds_of(joined) == ["delta", "usage", "delta", "completed"]
    assert seqs_of(joined) == [1, 2, 4, 5]


def test_reasoning_is_joined_with_reasoning_only() -> None:
    joined = list(coalesced(placed(reasoning("x"), reasoning("y"), delta("a"), reasoning("z"))))
    assert [e.reasoning.text or e.delta.text for e in joined] == ["xy", "a", "z"]


def test_a_joined_delta_is_bounded() -> None:
    half = "x" * (MOST_CHARACTERS // 2 + 1)
    assert seqs_of(coalesced(placed(delta(half), delta(half), delta("y")))) == [1, 3]


def test_a_delta_that_is_longer_than_the_bound_is_sent_alone() -> None:
    huge = "x" * (MOST_CHARACTERS + 1)
    assert seqs_of(coalesced(placed(delta("a"), delta(huge), delta("b")))) == [1, 2, 3]


@given(st.lists(st.sampled_from(["a", "bb", "c" * 9000, "!"]), max_size=60))
def test_text_and_order_stay_whatever_is_joined(pieces: list[str]) -> None:
    """An exclamation mark stands for an event that is no delta."""
    events = placed(*(completed() if piece == "!" else delta(piece) for piece in pieces))
    joined = list(coalesced(events))
    assert text_of(joined) == text_of(events)
    others = [k for k in kinds_of(joined) if k != "delta"]
    assert len(others) == pieces.count("!")
    assert seqs_of(joined) == sorted(set(seqs_of(joined)))
