"""The order of what was found, and why. Pure.

    relevance = 0.5 x fusion + 0.35 x coverage + 0.15 x recency

- fusion: reciprocal rank fusion, the sum of 1 / (60 + rank) over the lists that have it (Cormack,
  Clarke and Buettcher, 2009; 60 is theirs), over what the first place of every list would give;
- coverage: the part of the question's terms that it has;
- recency: 0.5 to the power of its age in days over 30, reckoned from the newest text found, so that
  the same finds have the same order on any day; 0.5 where no time is known.

The weights are ours: what two engines found by meaning and words counts as much as everything that
can be seen in the text itself. Then maximal marginal relevance (Carbonell and Goldstein, 1998)
takes one by one: (1 - d) x relevance - d x the greatest likeness (Jaccard of terms) to what is
taken.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from servers.runtime.language.terms import coverage, likeness

from .candidates import Candidate

FORMULA = "0.5 fusion + 0.35 coverage + 0.15 recency; then maximal marginal relevance"
FUSION, COVERAGE, RECENCY = 0.5, 0.35, 0.15
RANK_CONSTANT = 60
HALF_LIFE_DAYS = 30.0
UNKNOWN_AGE = 0.5
DIGITS = 6


@dataclass(frozen=True)
class Ranked:
    """A text with its relevance, 0 to 1, and the parts of it."""

    candidate: Candidate
    relevance: float
    fusion: float
    coverage: float
    recency: float
    matched: tuple[str, ...]
    age_days: float | None


def reranked(
    found: Sequence[Candidate],
    question: Collection[str],
    lists: Collection[str],
    most: int,
    diversity: float,
) -> list[Ranked]:
    """At most so many of what was found in the named lists for a question of these terms, the best
    first; among equals the earlier one. `diversity` is d, 0 to 1."""
    newest = max(filter(None, (each.said_at for each in found)), default=None)
    left = [_ranked(each, question, lists, newest) for each in found]
    taken = list[Ranked]()
    while left and len(taken) < most:
        worths = [_worth(each, taken, diversity) for each in left]
        taken.append(left.pop(worths.index(max(worths))))
    return taken


def why(ranked: Ranked, question: Collection[str]) -> str:
    """One sentence for people: where it was found, which terms it has, how old it is."""
    places = ", ".join(f"place {rank} in {name}" for name, rank in _sorted(ranked.candidate.ranks))
    wanted = len(set(question))
    has = f"; has {len(ranked.matched)} of {wanted} terms" if wanted else ""
    which = f" ({', '.join(ranked.matched)})" if ranked.matched else ""
    age = "" if ranked.age_days is None else f"; {ranked.age_days:.0f} days before the newest"
    return f"{places}{has}{which}{age}"


def _ranked(
    each: Candidate, question: Collection[str], lists: Collection[str], newest: datetime | None
) -> Ranked:
    best = len(lists) / (RANK_CONSTANT + 1)
    fusion = sum(1 / (RANK_CONSTANT + rank) for rank in each.ranks.values()) / best
    covered = coverage(question, each.terms)
    age = None
    if newest is not None and (said_at := each.said_at) is not None:
        age = (newest - said_at).total_seconds() / 86_400
    recency = UNKNOWN_AGE if age is None else 0.5 ** (age / HALF_LIFE_DAYS)
    return Ranked(
        candidate=each,
        relevance=round(FUSION * fusion + COVERAGE * covered + RECENCY * recency, DIGITS),
        fusion=round(fusion, DIGITS),
        coverage=round(covered, DIGITS),
        recency=round(recency, DIGITS),
        matched=tuple(sorted(set(question) & set(each.terms))),
        age_days=age,
    )


def _worth(each: Ranked, taken: Sequence[Ranked], diversity: float) -> float:
    nearest = max(
        (likeness(each.candidate.terms, other.candidate.terms) for other in taken), default=0.0
    )
    return round((1 - diversity) * each.relevance - diversity * nearest, DIGITS)


def _sorted(ranks: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(ranks.items(), key=lambda item: (item[1], item[0]))
