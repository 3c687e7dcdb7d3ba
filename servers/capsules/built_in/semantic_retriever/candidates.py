"""What memory and search found, as one list in which everything stands once. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from servers.runtime.language.terms import likeness, terms

NEARLY_THE_SAME = 0.85
"""Texts that share so much of their terms (Jaccard) say the same."""
MOST_CHARACTERS = 1200
"""Of a text, in the result."""
READ_CHARACTERS = 4000
"""Of a text, that are looked at."""


@dataclass(frozen=True)
class Candidate:
    """A text that was found. `ranks` are its places, from 1 on, in the lists that have it."""

    id: str
    source: str
    content: str
    terms: frozenset[str]
    ranks: Mapping[str, int]
    conversation_id: str = ""
    role: str = ""
    timestamp: str = ""
    merged: int = 0
    """How many further texts that say the same were found."""

    @property
    def said_at(self) -> datetime | None:
        """When it was said or learned; None if nobody knows."""
        return moment(self.timestamp)


def candidates(lists: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Candidate]:
    """The texts of the named lists, each of them the best first. A text that stands in two lists,
    or says nearly the same as one before it, is merged into that."""
    found = list[Candidate]()
    for name, hits in lists.items():
        for rank, hit in enumerate(hits, start=1):
            _take(found, _candidate(name, rank, hit))
    return found


def moment(timestamp: str) -> datetime | None:
    """A time in RFC 3339; None if it is none, or one without a zone."""
    try:
        time = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def _candidate(name: str, rank: int, hit: Mapping[str, Any]) -> Candidate:
    content = str(hit.get("content") or "").strip()
    return Candidate(
        id=str(hit.get("id") or ""),
        source=str(hit.get("source") or "message"),
        content=content,
        terms=frozenset(terms(content[:READ_CHARACTERS])),
        ranks={name: rank},
        conversation_id=str(hit.get("conversation_id") or ""),
        role=str(hit.get("role") or ""),
        timestamp=str(hit.get("timestamp") or ""),
    )


def _take(found: list[Candidate], new: Candidate) -> None:
    if not new.content:
        return
    for place, old in enumerate(found):
        if _same(old, new):
            found[place] = _merged(old, new)
            return
    found.append(new)


def _same(old: Candidate, new: Candidate) -> bool:
    if (old.id and old.id == new.id) or old.content == new.content:
        return True
    return bool(new.terms) and likeness(old.terms, new.terms) >= NEARLY_THE_SAME


def _merged(old: Candidate, new: Candidate) -> Candidate:
    """The first stays as it is; of a list that has both, the better place counts."""
    ranks = dict(old.ranks)
    for name, rank in new.ranks.items():
        ranks[name] = min(rank, ranks.get(name, rank))
    return Candidate(
        id=old.id,
        source=old.source,
        content=old.content,
        terms=old.terms,
        ranks=ranks,
        conversation_id=old.conversation_id or new.conversation_id,
        role=old.role or new.role,
        timestamp=old.timestamp or new.timestamp,
        merged=old.merged + 1,
    )
