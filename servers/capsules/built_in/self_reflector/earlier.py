"""Claims of earlier answers, and which of them a later one cannot be true beside. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from .claims import SAME, Claim, conflicts


class Conflict(NamedTuple):
    """An earlier claim, the message that has it, and why both cannot be right."""

    message_id: str
    claim: Claim
    reason: str


class Earlier:
    """Claims with their messages, in the order in which they were made; found by their terms."""

    def __init__(self, claims: Iterable[tuple[str, Claim]]) -> None:
        self._claims = list(claims)
        self._having: dict[str, list[int]] = defaultdict(list)
        for place, (_, claim) in enumerate(self._claims):
            for term in claim.subject:
                self._having[term].append(place)

    def conflict(self, claim: Claim, before: str) -> Conflict | None:
        """The latest claim of a message before this one (ids of messages grow with time) that
        `claim` is in conflict with."""
        shared = Counter(place for term in claim.subject for place in self._having.get(term, ()))
        enough = [place for place, count in shared.items() if count >= SAME * len(claim.subject)]
        for place in sorted(enough, reverse=True):
            message_id, other = self._claims[place]
            if message_id < before and (reason := conflicts(claim, other)):
                return Conflict(message_id, other, reason)
        return None
