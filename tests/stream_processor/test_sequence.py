"""How a stream grows: indexes, numbers, the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kari.conversation_models.v1.turn_pb2 import StreamPosition, TurnEvent
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Conflict
from servers.stream_processor.sequence import (
    MOST_BYTES,
    Entry,
    Mark,
    following,
    numbered,
    opening,
    text_of,
)
from tests.stream_processor.events import cancelled, completed, delta, deltas, reasoning, seqs_of

START = opening(1_700_000_000_123_456_789).mark


def grown(
    mark: Mark, first_index: int, *events: TurnEvent, expose_reasoning: bool = False
) -> Entry | None:
    return following(
        mark,
        first_index,
        events,
        expose_reasoning=expose_reasoning,
        correlation_id="corr",
        created_at=1_700_000_001_000_000_002,
    )


def entry_of(mark: Mark, first_index: int, *events: TurnEvent) -> Entry:
    entry = grown(mark, first_index, *events)
    assert entry is not None
    return entry


def test_the_epoch_is_the_time_of_the_opening_in_milliseconds() -> None:
    assert Mark(epoch=1_700_000_000_123) == START


def test_events_are_numbered_from_one_without_gaps() -> None:
    first = entry_of(START, 1, *deltas("a b"))
    second = entry_of(first.mark, 3, delta("c"))
    events = [*numbered("turn_1", first), *numbered("turn_1", second)]
    assert seqs_of(events) == [1, 2, 3]


def test_an_event_carries_place_correlation_id_and_time() -> None:
    (event,) = numbered("turn_1", entry_of(START, 1, delta("a")))
    assert event.position == StreamPosition(stream_id="turn_1", epoch=START.epoch, seq=1)
    assert event.correlation_id == "corr"
    assert event.created_at.ToNanoseconds() == 1_700_000_001_000_000_002


def test_what_the_writer_puts_where_the_numbers_go_does_not_count() -> None:
    forged = delta("a")
    forged.position.seq, forged.correlation_id = 99, "forged"
    (event,) = numbered("turn_1", entry_of(START, 1, forged))
    assert (event.position.seq, event.correlation_id) == (1, "corr")


def test_known_events_are_left_out() -> None:
    first = entry_of(START, 1, *deltas("a b"))
    assert grown(first.mark, 1, *deltas("a b")) is None
    overlapping = entry_of(first.mark, 2, *deltas("b c"))
    assert text_of([overlapping]) == "c "
    assert overlapping.mark.index == 3


def test_a_gap_is_a_conflict_that_names_the_next_index() -> None:
    with pytest.raises(Conflict) as refused:
        grown(Mark(START.epoch, index=4, seq=4), 6, delta("a"))
    assert refused.value.reason == Reason.REASON_STREAM_GAP
    assert refused.value.details["next_index"] == "5"


def test_reasoning_takes_an_index_and_no_number() -> None:
    entry = entry_of(START, 1, reasoning("hm"), delta("a"))
    assert (entry.mark.index, entry.mark.seq) == (2, 1)
    assert [e.WhichOneof("event") for e in numbered("turn_1", entry)] == ["delta"]


def test_exposed_reasoning_is_an_event_like_others() -> None:
    entry = grown(START, 1, reasoning("hm"), delta("a"), expose_reasoning=True)
    assert entry is not None
    assert entry.mark.seq == 2


@pytest.mark.parametrize("last", [completed(), cancelled()])
def test_nothing_comes_after_the_last_event(last: TurnEvent) -> None:
    ended = entry_of(START, 1, delta("a"), last)
    assert ended.mark.ended
    with pytest.raises(Conflict) as refused:
        grown(ended.mark, 3, delta("b"))
    assert refused.value.reason == Reason.REASON_TURN_ENDED


def test_repeating_the_last_event_is_no_conflict() -> None:
    ended = entry_of(START, 1, delta("a"), completed())
    assert grown(ended.mark, 2, completed()) is None


def test_a_batch_with_events_after_its_last_one_is_refused_whole() -> None:
    with pytest.raises(Conflict) as refused:
        grown(START, 1, completed(), delta("late"))
    assert refused.value.reason == Reason.REASON_TURN_ENDED


def test_a_stream_is_bounded() -> None:
    with pytest.raises(Conflict) as refused:
        grown(Mark(START.epoch, 5, 5, size=MOST_BYTES), 6, delta("a"))
    assert refused.value.reason == Reason.REASON_TOO_LARGE


@given(
    st.lists(st.booleans(), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 10)), max_size=20),
)
def test_however_batches_overlap_each_event_is_in_the_stream_once(
    hidden: list[bool], windows: list[tuple[int, int]]
) -> None:
    """Whatever the writer repeats, the stream is a prefix of what it wrote."""
    written = [reasoning(str(i)) if h else delta(str(i)) for i, h in enumerate(hidden)]
    mark, entries = START, list[Entry]()
    for first, count in windows:
        batch = written[first - 1 : first - 1 + count]
        if batch and first <= mark.index + 1:
            entry = grown(mark, first, *batch)
            entries += [entry] if entry else []
            mark = entry.mark if entry else mark
    expected = [e.delta.text for e in written[: mark.index] if e.HasField("delta")]
    events = [event for entry in entries for event in numbered("turn_1", entry)]
    assert [e.delta.text for e in events] == expected
    assert seqs_of(events) == list(range(1, len(expected) + 1))
