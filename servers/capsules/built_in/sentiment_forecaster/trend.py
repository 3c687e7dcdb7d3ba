"""A straight line through scores, and where it leads. Pure.

Ordinary least squares of the score on the turn's number. The interval of a further turn x is

    a + b x  +-  t(0.975, n - 2) s sqrt(1 + 1/n + (x - mean)^2 / Sxx)

with s^2 the sum of squared residuals over n - 2 (Draper and Smith, Applied Regression Analysis, 3rd
edition, section 3.1). It holds for residuals that are normal, alike and independent; their lag-1
autocorrelation is told, for where it is not small the interval is too narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .students_t import quantile

FEWEST = 5
"""Turns from which a trend is fitted: three degrees of freedom."""
CONFIDENCE = 0.95
_TAIL = 1 - (1 - CONFIDENCE) / 2


@dataclass(frozen=True)
class Trend:
    """The line through n scores of the turns 1 to n."""

    turns: int
    intercept: float
    slope: float
    residual_deviation: float
    slope_error: float
    """Standard error of the slope."""
    autocorrelation: float
    """Of the residuals at lag 1; 0 if there are none."""

    @property
    def direction(self) -> str:
        """`rising` or `falling` if zero is outside the slope's interval, else `steady`."""
        reach = quantile(_TAIL, self.turns - 2) * self.slope_error
        if abs(self.slope) <= reach:
            return "steady"
        return "rising" if self.slope > 0 else "falling"

    @property
    def is_dependent(self) -> bool:
        """Whether the residuals hang on each other (beyond 2 / sqrt n, the usual bound for white
        noise), so that the intervals are too narrow."""
        return abs(self.autocorrelation) > 2 / math.sqrt(self.turns)


@dataclass(frozen=True)
class Forecast:
    """What a further turn will score, with the interval that holds it with 95 %."""

    turn: int
    expected: float
    lower: float
    upper: float


def fitted(scores: Sequence[float]) -> Trend:
    """The line through scores in the order of their turns; ValueError for fewer than FEWEST."""
    n = len(scores)
    if n < FEWEST:
        raise ValueError(f"a trend needs {FEWEST} turns at least")
    turns, mean_turn, mean_score = range(1, n + 1), (n + 1) / 2, math.fsum(scores) / n
    spread = _spread(n)
    together = math.fsum(
        (turn - mean_turn) * (score - mean_score) for turn, score in zip(turns, scores, strict=True)
    )
    slope = together / spread
    intercept = mean_score - slope * mean_turn
    residuals = [s - intercept - slope * t for t, s in zip(turns, scores, strict=True)]
    deviation = math.sqrt(math.fsum(r * r for r in residuals) / (n - 2))
    return Trend(n, intercept, slope, deviation, deviation / math.sqrt(spread), _lagged(residuals))


def forecast(trend: Trend, ahead: int) -> list[Forecast]:
    """The next turns. A score is between -1 and 1, so what lies outside is cut off: that takes
    nothing from an interval's coverage."""
    return [_forecast(trend, trend.turns + step) for step in range(1, ahead + 1)]


def leaves_scale(trend: Trend, ahead: int) -> bool:
    """Whether the line leads out of the scale within the next turns: it cannot go on like this."""
    return abs(trend.intercept + trend.slope * (trend.turns + ahead)) > 1


def _forecast(trend: Trend, turn: int) -> Forecast:
    n = trend.turns
    distance = (turn - (n + 1) / 2) ** 2 / _spread(n)
    reach = quantile(_TAIL, n - 2) * trend.residual_deviation * math.sqrt(1 + 1 / n + distance)
    expected = trend.intercept + trend.slope * turn
    return Forecast(turn, _bound(expected), _bound(expected - reach), _bound(expected + reach))


def _spread(n: int) -> float:
    """Sxx of 1 to n."""
    return n * (n * n - 1) / 12


def _lagged(residuals: Sequence[float]) -> float:
    total = math.fsum(each * each for each in residuals)
    if total < 1e-12:
        return 0.0
    return math.fsum(one * other for one, other in pairwise(residuals)) / total


def _bound(score: float) -> float:
    return max(-1.0, min(1.0, score))
