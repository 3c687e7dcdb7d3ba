"""What was measured of turns, and what it comes to. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Spread = dict[str, float]
SHARES = (50, 95, 99)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """By nearest rank: the smallest of the `ordered` values that so many percent do not exceed.
    ValueError of nothing, for nothing measured is nothing reached."""
    if not ordered:
        raise ValueError("nothing was measured")
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def spread(seconds: Iterable[float]) -> Spread:
    """p50, p95, p99 and the most of them, in milliseconds; nothing of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    found = {f"p{share}": percentile(ordered, share) * 1000 for share in SHARES}
    return {**found, "max": ordered[-1] * 1000}


def less(spreads: Spread, by: Spread) -> Spread:
    """What `spreads` has more than `by`, percentile by percentile."""
    return {name: value - by[name] for name, value in spreads.items() if name in by}


@dataclass
class Turn:
    """One turn as its client saw it; times in seconds of one clock. `texts` are the times at which
    text came. `error` is empty if the whole right text came."""

    began: float
    texts: list[float] = field(default_factory=list)
    ended: float = 0.0
    tokens: int = 0
    error: str = ""


@dataclass
class Totals:
    """The turns of a measured time of so many seconds."""

    seconds: float
    turns: list[Turn]

    def figures(self) -> dict[str, object]:
        """For the report: rates count whole turns, times are of those without error."""
        good = [turn for turn in self.turns if not turn.error]
        gaps = (b - a for t in good for a, b in zip(t.texts, t.texts[1:], strict=False))
        return {
            "seconds": self.seconds,
            "turns": len(good),
            "turns_per_s": len(good) / self.seconds,
            "tokens_per_s": sum(turn.tokens for turn in good) / self.seconds,
            "frames_per_turn": sum(len(t.texts) for t in good) / max(len(good), 1),
            "ttft_ms": spread(turn.texts[0] - turn.began for turn in good),
            "e2e_ms": spread(turn.ended - turn.began for turn in good),
            "gap_ms": spread(gaps),
            "errors": len(self.turns) - len(good),
            "error_kinds": self._kinds(),
        }

    def _kinds(self) -> dict[str, int]:
        kinds: dict[str, int] = {}
        for turn in self.turns:
            if turn.error:
                kinds[turn.error] = kinds.get(turn.error, 0) + 1
        return kinds
