"""Names in queries: who is meant is no word to look for. Pure.

"What did Caroline paint?" looks for painting in what Caroline said; the word "Caroline" stands in
what others say to her.
"""

import re
from collections.abc import Collection, Iterable

MONTHS = frozenset({"april", "august", "june", "march", "may"})
"""Months that are names as well."""

COMMON = frozenset({"art", "bill", "can", "don", "faith", "grace", "hope", "joy", "mark", "will"})
"""Names that are words as well, of those that English gives to many. These and months are names
only where they are written as names are."""


def named(query: str, authors: Iterable[str]) -> frozenset[str]:
    """Those authors any part of whose name is a word of the query."""
    found = frozenset(re.findall(r"\w+", query))
    lowered = frozenset(word.lower() for word in found)
    return frozenset(
        author
        for author in authors
        if any(_stands_in(part, found, lowered) for part in _parts(author))
    )


def without_names(query: str, authors: Collection[str]) -> str:
    """The query without the names of these authors; as it is if nothing else is in it."""
    parts = sorted(
        {part for author in authors for part in _parts(author)}, key=lambda p: (-len(p), p)
    )
    if not parts:
        return query
    patterns = (
        re.escape(part) if _is_common(part) else f"(?i:{re.escape(part)})" for part in parts
    )
    rest = re.sub(rf"\b(?:{'|'.join(patterns)})\b(?:['\u2019]s\b)?", " ", query)
    rest = re.sub(r"\s+", " ", rest).strip()
    return rest if re.search(r"\w", rest) else query


def _parts(author: str) -> list[str]:
    return [part for part in re.findall(r"\w+", author) if len(part) > 1]


def _is_common(part: str) -> bool:
    return part.lower() in MONTHS or part.lower() in COMMON


def _stands_in(part: str, found: frozenset[str], lowered: frozenset[str]) -> bool:
    return part in found if _is_common(part) else part.lower() in lowered
