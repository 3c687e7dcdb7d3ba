"""Scores, trends, intervals and turning points."""

import random

import pytest

from servers.capsules.built_in.sentiment_forecaster.scoring import mostly_silent, score
from servers.capsules.built_in.sentiment_forecaster.students_t import quantile
from servers.capsules.built_in.sentiment_forecaster.trend import fitted, forecast, leaves_scale
from servers.capsules.built_in.sentiment_forecaster.turning_points import turning_points


@pytest.mark.parametrize(
    ("degrees", "value"),
    [(3, 3.18245), (4, 2.77645), (5, 2.57058), (10, 2.22814), (30, 2.04227), (120, 1.97993)],
)
def test_quantiles_of_t_are_those_of_the_tables(degrees: int, value: float) -> None:
    assert quantile(0.975, degrees) == pytest.approx(value, abs=0.004)


def test_too_few_degrees_of_freedom_are_refused() -> None:
    with pytest.raises(ValueError, match="3 degrees"):
        quantile(0.975, 2)


def test_a_line_is_found_again() -> None:
    trend = fitted([0.1 * turn - 0.5 for turn in range(1, 9)])
    assert (trend.slope, trend.intercept) == pytest.approx((0.1, -0.5))
    assert trend.residual_deviation == pytest.approx(0.0, abs=1e-9)
    assert trend.direction == "rising"
    (next_turn,) = forecast(trend, 1)
    assert next_turn.turn == 9
    assert next_turn.lower == pytest.approx(next_turn.upper) == pytest.approx(0.4)


def test_a_worked_example_agrees() -> None:
    """y 0.2 0.1 0.4 0.3 0.5: residuals 0.06 -0.12 0.10 -0.08 0.04, so s^2 is 0.036 / 3."""
    trend = fitted([0.2, 0.1, 0.4, 0.3, 0.5])
    assert trend.slope == pytest.approx(0.08)
    assert trend.intercept == pytest.approx(0.06)
    assert trend.residual_deviation == pytest.approx(0.109545, abs=1e-6)
    (next_turn,) = forecast(trend, 1)
    assert next_turn.expected == pytest.approx(0.54)
    reach = 3.1824 * 0.109545 * (1 + 1 / 5 + 9 / 10) ** 0.5
    assert next_turn.upper == pytest.approx(min(1.0, 0.54 + reach), abs=0.002)
    assert next_turn.lower == pytest.approx(0.54 - reach, abs=0.002)


@pytest.mark.parametrize(
    ("scores", "direction"),
    [
        ([0.0] * 6, "steady"),
        ([0.5, -0.5, 0.5, -0.5, 0.5, -0.5], "steady"),
        ([0.9, 0.7, 0.4, 0.3, 0.0, -0.3], "falling"),
        ([-0.8, -0.5, -0.4, 0.1, 0.2, 0.6], "rising"),
    ],
)
def test_a_direction_is_named_only_if_it_is_one(scores: list[float], direction: str) -> None:
    assert fitted(scores).direction == direction


def test_fewer_than_five_turns_have_no_trend() -> None:
    with pytest.raises(ValueError, match="5 turns"):
        fitted([0.1, 0.2, 0.3, 0.4])


def test_intervals_hold_what_they_promise() -> None:
    """2,000 seeded conversations on a line with normal noise: of the next scores 95 % are inside,
    within four standard errors (0.5 % each)."""
    draw, inside, trials = random.Random(7), 0, 2000
    for _ in range(trials):
        scores = [0.02 * turn - 0.1 + draw.gauss(0, 0.15) for turn in range(1, 12)]
        (_, second) = forecast(fitted(scores[:9]), 2)
        inside += second.lower <= scores[10] <= second.upper
    assert abs(inside / trials - 0.95) < 0.02


def test_intervals_stay_on_the_scale() -> None:
    for each in forecast(fitted([0.9, 0.2, 1.0, 0.3, 0.95]), 10):
        assert -1 <= each.lower <= each.expected <= each.upper <= 1


def test_a_line_that_leaves_the_scale_is_noticed() -> None:
    falling = fitted([0.8, 0.5, 0.1, -0.3, -0.6])
    assert leaves_scale(falling, 3)
    assert not leaves_scale(fitted([0.1, 0.2, 0.1, 0.2, 0.1]), 10)


def test_scores_that_hang_on_each_other_are_noticed() -> None:
    swings = [0.5] * 6 + [-0.5] * 6 + [0.5] * 6 + [-0.5] * 6
    assert fitted(swings).is_dependent
    draw = random.Random(3)
    assert not fitted([draw.gauss(0, 0.2) for _ in range(24)]).is_dependent


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], []),
        ([0.1], []),
        ([0.0, 0.3, 0.0, 0.3], []),
        ([0.0, 0.8, 0.1], [(1, "down")]),
        ([0.6, -0.4, 0.5, 0.6, -0.2], [(1, "up"), (3, "down")]),
        ([0.0, 0.2, 0.4, 0.6, 0.8], []),
        ([0.5, 0.9, 0.2, 0.3, -0.5, 0.1], [(4, "up")]),
    ],
)
def test_the_mood_turns_where_it_went_far_and_came_back(
    scores: list[float], expected: list[tuple[int, str]]
) -> None:
    assert [(each.place, each.to) for each in turning_points(scores)] == expected


def test_vader_tells_glad_from_angry() -> None:
    assert score("This is great, I love it!") > 0.5
    assert score("This is terrible, I hate it.") < -0.5
    assert score("") == 0.0
    assert score("love " * 100_000) <= 1.0
    assert abs(score("\U0001f600\U0001f601" * 50_000)) <= 1.0


def test_texts_without_a_known_word_are_noticed() -> None:
    assert mostly_silent([score(text) for text in ("Das ist schlimm", "Wie furchtbar", "Ach so")])
    assert not mostly_silent([0.5, 0.0, -0.2])
    assert not mostly_silent([])
