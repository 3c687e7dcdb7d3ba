"""What this server asks of a store of vectors."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class NearestVectors(Protocol):
    """The vectors of a conversation's messages and summaries, to read."""

    async def nearest(
        self, tenant_id: str, conversation_id: str, vector: Sequence[float], most: int
    ) -> Mapping[str, float]:
        """Ids of the nearest, the nearest first, with their cosines. Unavailable if the store is
        away."""

    async def ping(self) -> None:
        """Raises if the store does not answer."""
