"""Figures by path, their targets, and how both are printed. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Figures = dict[str, Any]
"""What a scenario measured: numbers, and dictionaries of numbers, by name."""


@dataclass(frozen=True)
class Target:
    """What a figure should reach: at least or at most `bound`. `path` is its names with dots."""

    path: str
    bound: float
    least: bool = False

    def row(self, figures: Figures) -> "Row":
        """The figure beside its target; a figure that is not there is missed."""
        value = flat(figures).get(self.path)
        reached = value is not None and (value >= self.bound if self.least else value <= self.bound)
        return Row(self.path, value, f"{'>=' if self.least else '<='} {self.bound:g}", reached)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    path: str
    value: float | None
    target: str
    reached: bool

    def line(self, scenario: str) -> str:
        """As it is printed."""
        value = "-" if self.value is None else number(self.value)
        mark = "reached" if self.reached else "MISSED"
        return f"{scenario:<14}{self.path:<26}{value:>12}   {self.target:<10} {mark}"


HEAD = f"{'scenario':<14}{'figure':<26}{'measured':>12}   target"


def least(path: str, bound: float) -> Target:
    """A figure that should reach `bound` or more."""
    return Target(path, bound, least=True)


def most(path: str, bound: float) -> Target:
    """A figure that should not exceed `bound`."""
    return Target(path, bound)


def flat(figures: Mapping[str, Any], above: str = "") -> dict[str, float]:
    """Every number by its path: `ttft_ms.p50`."""
    found: dict[str, float] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{above}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{above}{name}"] = float(value)
    return found


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def described(figures: Figures) -> str:
    """Everything that was measured, a line for each name."""
    lines = (f"  {name:<26}{_value(value)}" for name, value in figures.items() if name != "name")
    return "\n".join(lines)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = [(name, v) for name, v in value.items() if not _is_nothing(v)]
        return "  ".join(f"{name} {_value(v)}" for name, v in pairs) or "-"
    if isinstance(value, list):
        return "\n".join(["", *(f"    {each}" for each in value)])
    return number(value) if isinstance(value, int | float) else str(value)


def _is_nothing(value: object) -> bool:
    return isinstance(value, float) and abs(value) < 0.0005


def compared(old: Iterable[Figures], new: Iterable[Figures]) -> str:
    """Old, new and change in percent of each figure, scenario by scenario; what only one of them
    has is left out."""
    before = {figures["name"]: flat(figures) for figures in old}
    lines = [f"{'scenario':<14}{'figure':<44}{'old':>12}{'new':>12}{'change':>9}"]
    for figures in new:
        name = figures["name"]
        for path, value in flat(figures).items():
            if path in before.get(name, {}):
                was = before[name][path]
                row = f"{name:<14}{path:<44}{number(was):>12}{number(value):>12}"
                lines.append(f"{row}{change(was, value):>9}")
    return "\n".join(lines)


def change(old: float, new: float) -> str:
    """In percent of the old value."""
    if old == new:
        return "="
    return "new" if old == 0 else f"{(new - old) / abs(old) * 100:+.1f} %"
