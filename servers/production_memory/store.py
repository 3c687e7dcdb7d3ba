"""What this server asks of a store of vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Vector:
    """The embedding of one message: a unit vector. `created_at_ms` is Unix time."""

    message_id: str
    tenant_id: str
    conversation_id: str
    role: str
    created_at_ms: int
    values: Sequence[float]


class VectorStore(Protocol):
    """Keeps vectors by message id. It can always be made again from Postgres."""

    async def write(self, vectors: Sequence[Vector]) -> None:
        """Adds or replaces vectors: writing one again changes nothing. Unavailable if the store is
        away."""

    async def ping(self) -> None:
        """Raises if the store does not answer."""
