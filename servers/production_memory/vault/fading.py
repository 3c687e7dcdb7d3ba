"""How memories fade: NeuroVault's decay, relevance, consolidation and archiving, with the moment
passed in. The numbers are those of the flow contract, section NeuroVault and NeuroRecall. Pure."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

DECAY_PER_HOUR = {"episodic": 0.12, "semantic": 0.04, "procedural": 0.02}
"""The flow contract's: an episode has half of its weight after 5.8 hours, a fact after 17, a
procedure after 35. It is the exponential forgetting curve (Ebbinghaus, 1885)."""

READS_WEIGHT = 0.1
"""What reads add: this times ln(1 + reads), as the flow contract has it."""

ARCHIVED_UNDER = 0.1
"""The flow contract's. A memory of two reads or more has 0.1 x ln(3) > 0.1 for ever, so it is never
archived: what is used is kept in use."""

CONSOLIDATED_AFTER = timedelta(hours=24)
CONSOLIDATED_IMPORTANCE = 6
CONSOLIDATED_READS = 2

IN_USE = timedelta(hours=24)
"""A memory that was read stays in use for so long. One that comes back from the archive has one
read perhaps, which is too little for its relevance: it would be archived again at once."""


@dataclass(frozen=True)
class Trace:
    """What fading depends on. `age_from` is when the memory was last stated or confirmed, `born_at`
    when it was first."""

    kind: str
    importance: int
    reads: int
    born_at: datetime
    age_from: datetime
    last_read_at: datetime | None = None
    archived: bool = False


def relevance(trace: Trace, similarity: float, now: datetime) -> float:
    """Similarity x importance x exp(-decay x age in hours) + 0.1 x ln(1 + reads); the flow
    contract's. A negative cosine counts as none. An age is never negative, whatever clocks say."""
    hours = max(0.0, (now - trace.age_from) / timedelta(hours=1))
    faded = math.exp(-DECAY_PER_HOUR[trace.kind] * hours)
    return max(0.0, similarity) * trace.importance * faded + _of_reads(trace.reads)


def best_relevance(trace: Trace, now: datetime) -> float:
    """Its relevance to the query that fits it best: similarity 1."""
    return relevance(trace, 1.0, now)


def is_consolidated(trace: Trace, now: datetime) -> bool:
    """Whether an episode has become knowledge: older than 24 h, importance 6 at least, read twice
    at least; the flow contract's."""
    return _may_consolidate(trace) and now - trace.born_at > CONSOLIDATED_AFTER


def is_archived(trace: Trace, now: datetime) -> bool:
    """Whether it has faded: no query can give it a relevance of 0.1, and nobody has read it
    lately."""
    if trace.last_read_at is not None and now - trace.last_read_at < IN_USE:
        return False
    return best_relevance(trace, now) < ARCHIVED_UNDER


def faded(trace: Trace, now: datetime) -> Trace:
    """What it has become by now: consolidated first, for knowledge fades more slowly."""
    if is_consolidated(trace, now):
        trace = replace(trace, kind="semantic")
    return replace(trace, archived=is_archived(trace, now))


def due_at(trace: Trace, now: datetime) -> datetime | None:
    """When `faded` may give something else, if nobody reads or confirms it before: after `now`, or
    None for never."""
    moments = [_consolidation(trace), None if trace.archived else _archiving(trace)]
    later = [max(moment, now + timedelta(seconds=1)) for moment in moments if moment is not None]
    return min(later, default=None)


def _may_consolidate(trace: Trace) -> bool:
    return (
        trace.kind == "episodic"
        and trace.importance >= CONSOLIDATED_IMPORTANCE
        and trace.reads >= CONSOLIDATED_READS
    )


def _consolidation(trace: Trace) -> datetime | None:
    if not _may_consolidate(trace):
        return None
    return trace.born_at + CONSOLIDATED_AFTER + timedelta(seconds=1)


def _archiving(trace: Trace) -> datetime | None:
    """Solves best_relevance = ARCHIVED_UNDER for the age; a second later it is under it."""
    left = ARCHIVED_UNDER - _of_reads(trace.reads)
    if left <= 0:
        return None
    hours = math.log(trace.importance / left) / DECAY_PER_HOUR[trace.kind]
    moment = trace.age_from + timedelta(hours=hours, seconds=1)
    if trace.last_read_at is not None:
        moment = max(moment, trace.last_read_at + IN_USE)
    return moment


def _of_reads(reads: int) -> float:
    return READS_WEIGHT * math.log1p(reads)
