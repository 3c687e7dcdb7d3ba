"""Ranking of candidates: fixed weights, no randomness, no clock. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from servers.context_integrator.part import DOMAIN, FILE, PINNED, SUMMARY, THREAD, VAULT, Part
from servers.runtime.remembering import remembered

# The flow contract's weights.
PINNED_WEIGHT = 2.0
KEYWORD_WEIGHT = 1.0
SIMILARITY_WEIGHT = 0.8
RECENCY_WEIGHT = 0.6

# Words shorter than this carry no meaning of their own in most languages.
KEYWORD_LENGTH = 4

RELEVANT_SIMILARITY = 0.3
"""Below this cosine, two sentences in MiniLM's space have little to do with each other: its
authors' own examples of unrelated pairs lie under it."""
RELEVANT_MEMORY = 0.22
"""The same for memories, which say little in few words: "Where do I live?" has 0.30 with "The user
lives in Perth.", "who am I" 0.26 with the user's name; what has nothing to do with a question has
more than 0.2 seldom."""
RELEVANT_SHARE = 0.5
"""Whatever has half of the wanted words is relevant however it was found."""

DAY_MILLISECONDS = 86_400_000

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may go into a prompt, with what speaks for it: `score`, and whether it has
    enough to do with the message to be recalled at all."""

    part: Part
    score: float
    similarity: float = 0.0
    relevant: bool = True


def words_of(text: str) -> frozenset[str]:
    """The words of a text that can be matched exactly."""
    return frozenset(w for w in _WORD.findall(text.lower()) if len(w) >= KEYWORD_LENGTH)


keywords = remembered(words_of)
"""The same for messages, which are looked at turn after turn. Not for memories and files: what a
user has had forgotten is not to be found in this process."""


def rated(
    part: Part,
    wanted: frozenset[str],
    recency: float,
    similarity: float = 0.0,
    *,
    asked_for: bool = False,
) -> Candidate:
    """A candidate with the weighted sum of being pinned, of the share of wanted words it has, of
    similarity and of recency (all 0 to 1). Rounded, so that equal inputs give equal bytes on every
    machine. What the user asked for needs no likeness to the message."""
    recalled = part.source in (VAULT, DOMAIN)
    erasable = recalled or part.source == FILE
    words = words_of(part.text) if erasable else keywords(part.text)
    share = len(wanted & words) / len(wanted) if wanted else 0.0
    similarity = round(min(max(similarity, 0.0), 1.0), 6)
    total = (
        PINNED_WEIGHT * (part.source == PINNED)
        + KEYWORD_WEIGHT * share
        + SIMILARITY_WEIGHT * similarity
        + RECENCY_WEIGHT * recency
    )
    least = RELEVANT_MEMORY if recalled else RELEVANT_SIMILARITY
    needs_none = asked_for or part.source in THREAD or part.source == SUMMARY
    relevant = needs_none or similarity >= least or share >= RELEVANT_SHARE
    return Candidate(part, round(total, 6), similarity, relevant)


def recency_of(when: int, now: int) -> float:
    """1 for what is said now, a half after a day, a third after two; Unix times in milliseconds."""
    return 1 / (1 + max(0, now - when) / DAY_MILLISECONDS)


def ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Best first; among equals the later one."""
    return sorted(
        candidates,
        key=lambda c: (
            -c.score,
            -c.part.sequence,
            -c.part.when,
            c.part.id,
            c.part.chunk,
            c.part.source,
        ),
    )
