"""The flow contract's rules of decay, relevance, consolidation and archiving."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.production_memory.vault.fading import (
    DECAY_PER_HOUR,
    Trace,
    best_relevance,
    due_at,
    faded,
    is_archived,
    is_consolidated,
    relevance,
)

BORN = datetime(2026, 1, 1, tzinfo=UTC)
EPISODE = Trace("episodic", importance=8, reads=2, born_at=BORN, age_from=BORN)

hours = st.floats(0, 24 * 365, allow_nan=False)
traces = st.builds(
    Trace,
    kind=st.sampled_from(sorted(DECAY_PER_HOUR)),
    importance=st.integers(1, 10),
    reads=st.integers(0, 1000),
    born_at=st.just(BORN),
    age_from=hours.map(lambda h: BORN + timedelta(hours=h)),
    last_read_at=st.none() | hours.map(lambda h: BORN + timedelta(hours=h)),
    archived=st.booleans(),
)
moments = st.floats(0, 24 * 1000, allow_nan=False).map(lambda h: BORN + timedelta(hours=h))


def after(hours: float) -> datetime:
    return BORN + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("kind", "decay"), [("episodic", 0.12), ("semantic", 0.04), ("procedural", 0.02)]
)
def test_relevance_is_the_formula_of_the_contract(kind: str, decay: float) -> None:
    trace = replace(EPISODE, kind=kind, importance=7, reads=3)
    expected = 0.6 * 7 * math.exp(-decay * 10) + 0.1 * math.log(4)
    assert relevance(trace, 0.6, after(10)) == pytest.approx(expected)


def test_age_counts_from_when_it_was_last_stated() -> None:
    confirmed = replace(EPISODE, age_from=after(9))
    assert relevance(confirmed, 1.0, after(10)) == relevance(EPISODE, 1.0, after(1))


@given(traces, moments, moments, st.floats(0, 1), st.floats(0, 1))
def test_relevance_falls_with_age_and_grows_with_similarity(
    trace: Trace, one: datetime, other: datetime, low: float, high: float
) -> None:
    early, late = sorted((one, other))
    low, high = sorted((low, high))
    assert relevance(trace, low, late) <= relevance(trace, low, early)
    assert relevance(trace, low, late) <= relevance(trace, high, late)
    assert 0 <= relevance(trace, high, late) <= best_relevance(trace, late)


@given(traces, moments, st.floats(-1, 1))
def test_reads_make_relevant(trace: Trace, now: datetime, similarity: float) -> None:
    more = replace(trace, reads=trace.reads + 1)
    assert relevance(more, similarity, now) > relevance(trace, similarity, now)


@pytest.mark.parametrize(
    ("change", "at", "expected"),
    [
        ({}, 24.1, True),
        ({}, 24.0, False),
        ({"importance": 6}, 24.1, True),
        ({"importance": 5}, 24.1, False),
        ({"reads": 1}, 24.1, False),
        ({"kind": "semantic"}, 24.1, False),
        ({"kind": "procedural"}, 24.1, False),
    ],
)
def test_an_episode_becomes_knowledge(change: dict, at: float, expected: bool) -> None:
    trace = replace(EPISODE, **change)
    assert is_consolidated(trace, after(at)) is expected
    assert faded(trace, after(at)).kind == ("semantic" if expected else trace.kind)


def test_what_no_query_makes_relevant_is_archived() -> None:
    """Importance 2 and decay 0.12: 2 x exp(-0.12 x 24.97) is 0.1."""
    trace = replace(EPISODE, importance=2, reads=0)
    assert not is_archived(trace, after(24.9))
    assert is_archived(trace, after(25.0))


def test_what_was_read_lately_is_in_use() -> None:
    trace = replace(EPISODE, importance=2, reads=1, last_read_at=after(100))
    assert not is_archived(trace, after(123))
    assert is_archived(trace, after(125))


@given(traces, moments)
def test_what_was_read_twice_is_never_archived(trace: Trace, now: datetime) -> None:
    assert not is_archived(replace(trace, reads=max(2, trace.reads)), now)


@given(traces, moments)
def test_fading_again_changes_nothing(trace: Trace, now: datetime) -> None:
    once = faded(trace, now)
    assert faded(once, now) == once
    assert (once.importance, once.reads, once.age_from) == (
        trace.importance,
        trace.reads,
        trace.age_from,
    )


@given(traces, moments, st.floats(0, 1))
def test_nothing_fades_before_it_is_due(trace: Trace, now: datetime, share: float) -> None:
    """Whoever looks only when it is due misses nothing, and finds it changed then."""
    trace = faded(trace, now)
    due = due_at(trace, now)
    if due is None:
        assert faded(trace, now + timedelta(days=3650)) == trace
        return
    assert due > now
    assert faded(trace, now + (due - now) * share * 0.999999 - timedelta(seconds=1)) == trace
    assert faded(trace, due + timedelta(seconds=1)) != trace
