"""Figures: a measured value, its unit and its target. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True)
class Figure:
    """One measured value; reached if it is at most the target."""

    name: str
    value: float
    unit: str
    target: float

    def row(self) -> str:
        """The line of the table."""
        mark = "reached" if self.value <= self.target else "MISSED"
        return f"{self.name:<44}{self.value:>10.1f} {self.unit:<4}{self.target:>10.0f}   {mark}"


HEAD = f"{'figure':<44}{'measured':>10}     {'at most':>10}"


def table(figures: Iterable[Figure]) -> str:
    """All of them."""
    return "\n".join([HEAD, *(figure.row() for figure in figures)])


def middle(values: Iterable[float]) -> float:
    """The median; 0 of nothing."""
    found = list(values)
    return median(found) if found else 0.0


def p95(values: Iterable[float]) -> float:
    """The 95th percentile; 0 of fewer than two."""
    found = list(values)
    return quantiles(found, n=20)[-1] if len(found) > 1 else 0.0
