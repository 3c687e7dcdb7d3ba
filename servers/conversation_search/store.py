"""What this server asks of its stores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Scope:
    """What a caller may look at: conversations, the latest first, the number of their messages,
    that of those which the caller does not have already, and who speaks in them."""

    conversation_ids: Sequence[str]
    total: float
    unknown: float
    authors: Sequence[str]


@dataclass(frozen=True)
class Limits:
    """Which messages may be found. Empty means all; `since` is in, `until` is not; `holds` is in
    the syntax of websearch_to_tsquery."""

    user_id: str
    conversation_id: str
    since: datetime
    until: datetime
    roles: Sequence[str]
    sender: str
    holds: str = ""
    known: tuple[str, int] = ("", 0)
    """A conversation, and the place from which on the caller has it."""


@dataclass(frozen=True)
class Near:
    """Messages, summaries and pieces of files by the cosine of their vectors; empty if none is
    known."""

    cosines: Mapping[str, float]
    summaries: Mapping[str, float] = field(default_factory=dict)
    pieces: Mapping[str, float] = field(default_factory=dict)


class NearestVectors(Protocol):
    """The vectors of messages, summaries and pieces of files, to read."""

    async def nearest(
        self, tenant_id: str, vector: Sequence[float], scope: Scope, limits: Limits, most: int
    ) -> Near:
        """The nearest messages, the same whatever summaries there are, and the summaries among
        them. Unavailable if the store is away."""

    async def nearest_pieces(
        self, tenant_id: str, vector: Sequence[float], file_ids: Sequence[str], most: int
    ) -> dict[str, float]:
        """The nearest pieces of these files, with their cosines. Unavailable as above."""

    async def ping(self) -> None:
        """Raises if the store does not answer."""
