"""What a source of memories is asked, and what it gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kari.conversation_models.v1.context_pb2 import MemoryItem, MemorySource
from kari.conversation_models.v1.degradation_pb2 import Degradation


@dataclass(frozen=True)
class Asked:
    """A question for memories. `query` is empty if only recent turns are wanted."""

    tenant_id: str
    conversation_id: str
    through_sequence: int
    limit: int
    query: str = ""


@dataclass(frozen=True)
class Found:
    """Candidates, the best first but recent turns the oldest first; what was missing; and how it
    went, for the metrics."""

    items: Sequence[MemoryItem] = ()
    degradations: Sequence[Degradation] = ()
    outcome: str = "hit"


class Source(Protocol):
    """One kind of memory."""

    @property
    def kind(self) -> MemorySource.ValueType:
        """Which it is."""

    @property
    def by_meaning(self) -> bool:
        """Whether it is asked only with a query."""

    @property
    def missing(self) -> Degradation:
        """What an answer lacks without it."""

    async def find(self, asked: Asked) -> Found:
        """Its candidates. Raises KariError, AioRpcError, or LookupError if its store is not set up:
        the source is skipped then."""
