"""Figures: a measured value, its unit and its target. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median


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
    """The median; StatisticsError of nothing, for nothing measured is nothing reached."""
    return median(values)
