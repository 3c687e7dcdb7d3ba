"""Whether a memory that is near to a query is recalled, and how relevant it is. Pure."""

from datetime import datetime

from kari.production_memory.v1.production_memory_pb2 import RecalledMemory
from servers.production_memory.vault.fading import relevance
from servers.production_memory.vault.memory import memory_of, trace_of
from servers.runtime.queries import Row

ARCHIVE_SIMILARITY = 0.6
"""From here on an archived memory is recalled. all-MiniLM-L6-v2 gives 0.2 to 0.55 for a question
and the statement that answers it, 0.65 and more for who speaks of that very thing, and up to 0.25
for other statements about the same user: what has faded comes back to who names it.
docs/decisions/neurovault.md."""


def recalled(row: Row, similarity: float, now: datetime) -> RecalledMemory | None:
    """The memory of a row with its relevance; None if it no longer holds, or has faded and is not
    very near."""
    if row["valid_to"] is not None or (row["archived"] and similarity < ARCHIVE_SIMILARITY):
        return None
    return RecalledMemory(
        memory=memory_of(row),
        similarity=similarity,
        relevance=relevance(trace_of(row), similarity, now),
    )
