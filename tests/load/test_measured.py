"""Percentiles and totals."""

import pytest

from tests.load.measured import Totals, Turn, less, percentile, spread


@pytest.mark.parametrize(
    ("values", "percent", "found"),
    [
        ([7.0], 50, 7.0),
        ([7.0], 99, 7.0),
        ([1.0, 2.0], 50, 1.0),
        ([15.0, 20.0, 35.0, 40.0, 50.0], 30, 20.0),
        ([15.0, 20.0, 35.0, 40.0, 50.0], 40, 20.0),
        ([15.0, 20.0, 35.0, 40.0, 50.0], 100, 50.0),
        ([float(n) for n in range(1, 101)], 95, 95.0),
        ([float(n) for n in range(1, 102)], 99, 100.0),
    ],
)
def test_a_percentile_is_the_value_of_the_nearest_rank(
    values: list[float], percent: float, found: float
) -> None:
    assert percentile(values, percent) == found


def test_a_percentile_of_nothing_is_no_number() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


def test_a_spread_is_in_milliseconds_and_empty_of_nothing() -> None:
    assert spread([0.002, 0.001]) == {"p50": 1.0, "p95": 2.0, "p99": 2.0, "max": 2.0}
    assert spread([]) == {}


def test_what_is_added_is_taken_percentile_by_percentile() -> None:
    assert less({"p50": 5.0, "p95": 9.0}, {"p50": 1.0}) == {"p50": 4.0}


def test_a_turn_with_an_error_counts_as_an_error_and_nothing_else() -> None:
    good = Turn(began=1.0, texts=[1.5, 1.6, 1.8], ended=2.0, tokens=64)
    bad = Turn(began=1.0, texts=[9.0], ended=9.0, tokens=64, error="text lost")
    figures = Totals(2.0, [good, bad]).figures()
    assert (figures["turns_per_s"], figures["tokens_per_s"]) == (0.5, 32.0)
    assert (figures["errors"], figures["error_kinds"]) == (1, {"text lost": 1})
    assert figures["ttft_ms"] == pytest.approx({"p50": 500, "p95": 500, "p99": 500, "max": 500})
    assert figures["gap_ms"] == pytest.approx({"p50": 100, "p95": 200, "p99": 200, "max": 200})


def test_without_turns_there_are_no_times() -> None:
    figures = Totals(2.0, []).figures()
    assert (figures["turns_per_s"], figures["ttft_ms"], figures["errors"]) == (0.0, {}, 0)
