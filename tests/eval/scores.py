"""How well evidence was found. Pure."""

import statistics
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEPTHS = (5, 10, 20)


@dataclass(frozen=True)
class Answered:
    """A question's results, the best first, as ids of turns (empty for what is none of them)."""

    conversation: str
    category: str
    evidence: Collection[str]
    found: Sequence[str]
    seconds: float

    def recall(self, depth: int) -> float:
        """The share of the evidence that is among the first results."""
        return len(set(self.evidence) & set(self.found[:depth])) / len(set(self.evidence))

    @property
    def reciprocal_rank(self) -> float:
        """One by the place of the first evidence; 0 if there is none."""
        places = (place for place, id_ in enumerate(self.found, 1) if id_ in self.evidence)
        return next((1 / place for place in places), 0.0)


def row(name: str, answered: Sequence[Answered]) -> dict[str, Any]:
    """The figures of one way to search."""
    seconds = sorted(each.seconds for each in answered)
    return {
        "name": name,
        "questions": len(answered),
        **{
            f"recall_at_{depth}": _mean([each.recall(depth) for each in answered])
            for depth in DEPTHS
        },
        "mrr": _mean([each.reciprocal_rank for each in answered]),
        "latency_ms": {
            "p50": percentile(seconds, 0.5) * 1000,
            "p95": percentile(seconds, 0.95) * 1000,
        },
        "recall_at_10_by_category": _by({each: each.category for each in answered}),
        "recall_at_10_by_conversation": _by({each: each.conversation for each in answered}),
    }


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which such a share lies; 0 of nothing."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Every row as a line."""
    head = f"{'search':<28}{'@5':>8}{'@10':>8}{'@20':>8}{'MRR':>8}{'p50 ms':>9}{'p95 ms':>9}"
    return "\n".join([head, *(_line(each) for each in rows)])


def _line(figures: Mapping[str, Any]) -> str:
    recalls = "".join(f"{figures[f'recall_at_{depth}']:>8.3f}" for depth in DEPTHS)
    latency = figures["latency_ms"]
    times = f"{latency['p50']:>9.1f}{latency['p95']:>9.1f}"
    return f"{figures['name']:<28}{recalls}{figures['mrr']:>8.3f}{times}"


def _by(groups: Mapping[Answered, str]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for answered, group in groups.items():
        found[group].append(answered.recall(10))
    return {group: _mean(recalls) for group, recalls in sorted(found.items())}


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else 0.0
