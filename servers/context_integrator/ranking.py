"""Ranking of candidates: fixed weights, no randomness, no clock. Pure."""

import re
from dataclasses import dataclass

from kari.conversation_models.v1.context_pb2 import ContextSource
from kari.conversation_models.v1.message_pb2 import Message
from servers.runtime.remembering import remembered

# The flow contract's weights; semantic similarity joins them with semantic recall.
PINNED_WEIGHT = 2.0
KEYWORD_WEIGHT = 1.0
RECENCY_WEIGHT = 0.6

# Words shorter than this carry no meaning of their own in most languages.
KEYWORD_LENGTH = 4

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may go into a prompt. `order` is its place in the prompt."""

    message: Message
    source: ContextSource.ValueType
    score: float
    order: int


@remembered
def keywords(text: str) -> frozenset[str]:
    """The words of a text that can be matched exactly."""
    return frozenset(w for w in _WORD.findall(text.lower()) if len(w) >= KEYWORD_LENGTH)


def score(message: Message, wanted: frozenset[str], recency: float, *, pinned: bool) -> float:
    """Weighted sum of being pinned, of the share of wanted words it has, and of recency (0 to 1).
    Rounded, so that equal inputs give equal bytes on every machine."""
    matched = len(wanted & keywords(message.content)) / len(wanted) if wanted else 0.0
    total = PINNED_WEIGHT * pinned + KEYWORD_WEIGHT * matched + RECENCY_WEIGHT * recency
    return round(total, 6)


def ranked(candidates: list[Candidate]) -> list[Candidate]:
    """Best first; among equals the later message first."""
    return sorted(candidates, key=lambda c: (-c.score, -c.order, c.message.id))
