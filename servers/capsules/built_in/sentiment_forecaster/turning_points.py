"""Where the mood turned. Pure.

A zigzag: a turn is a turning point if the score went from the turning point before it by SWING at
least, and then back from it by SWING at least.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SWING = 0.5
"""A quarter of the scale, from the worst to the best: ten times VADER's bound of neutral."""


@dataclass(frozen=True)
class TurningPoint:
    """Place of a score in its sequence, and which way it went from there: `up` or `down`."""

    place: int
    to: str


def turning_points(scores: Sequence[float], swing: float = SWING) -> list[TurningPoint]:
    """The turning points, in order; where the mood first goes is none of them."""
    found = list[TurningPoint]()
    low = high = 0
    way = ""
    for place, score in enumerate(scores):
        low = place if score < scores[low] else low
        high = place if score > scores[high] else high
        if way != "up" and score - scores[low] >= swing:
            if way:
                found.append(TurningPoint(low, "up"))
            way, high = "up", place
        elif way != "down" and scores[high] - score >= swing:
            if way:
                found.append(TurningPoint(high, "down"))
            way, low = "down", place
    return found
