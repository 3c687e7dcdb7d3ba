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


@dataclass(frozen=True)
class MemoryVector:
    """The embedding of one memory: a unit vector. `user_id` is empty for the domain's."""

    memory_id: str
    tenant_id: str
    user_id: str
    kind: str
    values: Sequence[float]


@dataclass(frozen=True)
class ChunkVector:
    """The embedding of one piece of a file: a unit vector."""

    chunk_id: str
    tenant_id: str
    file_id: str
    values: Sequence[float]


class VectorStore(Protocol):
    """Keeps vectors by id. It can always be made again from Postgres. Every method raises
    Unavailable if the store is away."""

    async def write(self, vectors: Sequence[Vector]) -> None:
        """Adds or replaces vectors of messages: writing one again changes nothing."""

    async def write_memories(self, vectors: Sequence[MemoryVector]) -> None:
        """Adds or replaces vectors of memories: writing one again changes nothing."""

    async def erase_memories(self, tenant_id: str, memory_ids: Sequence[str]) -> None:
        """Erases vectors of memories; unknown ones are none."""

    async def write_chunks(self, vectors: Sequence[ChunkVector]) -> None:
        """Adds or replaces vectors of pieces of files: writing one again changes nothing."""

    async def erase_chunks(self, tenant_id: str, chunk_ids: Sequence[str]) -> None:
        """Erases vectors of pieces; unknown ones are none."""

    async def erase_files(self, tenant_id: str, file_ids: Sequence[str]) -> None:
        """Erases the vectors of all pieces of these files."""

    async def nearest_memories(
        self,
        tenant_id: str,
        user_ids: Sequence[str],
        kinds: Sequence[str],
        values: Sequence[float],
        most: int,
    ) -> dict[str, float]:
        """The nearest memories of these owners and kinds (empty: all) with their cosines, `most` at
        most."""

    async def ping(self) -> None:
        """Raises if the store does not answer."""
