"""Recalling memories by what a query is about: NeuroVault's by relevance, and NeuroRecall, which
gives procedures by similarity alone. Both only read."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from kari.production_memory.v1.production_memory_pb2 import (
    RecalledMemory,
    RecallMemoriesRequest,
    RecallProceduresRequest,
)
from servers.production_memory.vault.memory import DOMAIN, kind_name, owner_of
from servers.production_memory.vault.metrics import RETRIEVAL_SECONDS, RETRIEVALS
from servers.production_memory.vault.nearness import Nearness
from servers.production_memory.vault.recalled import recalled
from servers.production_memory.vault.tables import QUERIES
from servers.production_memory.vault.writing import utc_now
from servers.runtime.call import Principal
from servers.runtime.labelled import labelled
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

MEMORIES = 10
PROCEDURES = 5
CANDIDATES = 4
"""Neighbours that are looked at for each memory that is given: those of the highest similarity are
not those of the highest relevance, and some have faded."""
LEAST_CANDIDATES = 40


class Recalling:
    """Finds memories. Who has none costs one look into Postgres: most turns are theirs."""

    def __init__(
        self,
        database: Resource[Database],
        nearness: Nearness,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._nearness = nearness
        self._clock = clock

    async def memories(
        self, request: RecallMemoriesRequest, who: Principal
    ) -> list[RecalledMemory]:
        """The most relevant memories first; Unavailable if the embedder or the store is away."""
        kinds = [kind_name(kind) for kind in request.kinds if kind]
        found = await self._recall(
            who.tenant_id,
            [owner_of(request.scope, who.user_id)],
            kinds,
            request.query,
            request.limit or MEMORIES,
        )
        found.sort(key=lambda each: (-each.relevance, -each.similarity, each.memory.id))
        return found[: request.limit or MEMORIES]

    async def procedures(
        self, request: RecallProceduresRequest, who: Principal
    ) -> list[RecalledMemory]:
        """What worked in the most similar cases first, the caller's and the domain's; Unavailable
        as above."""
        limit = request.limit or PROCEDURES
        owners = [who.user_id, DOMAIN]
        found = await self._recall(who.tenant_id, owners, ["procedural"], request.query, limit)
        found.sort(key=lambda each: (-each.similarity, each.memory.id))
        return found[:limit]

    async def _recall(
        self, tenant_id: str, owners: Sequence[str], kinds: Sequence[str], query: str, limit: int
    ) -> list[RecalledMemory]:
        began = time.perf_counter()
        memory_type = kinds[0] if len(kinds) == 1 else "any"
        try:
            found = await self._found(tenant_id, owners, kinds, query, limit)
        except BaseException:
            labelled(RETRIEVALS, memory_type, "unavailable").inc()
            raise
        status = "empty" if found is None else "found" if found else "nothing"
        labelled(RETRIEVALS, memory_type, status).inc()
        labelled(RETRIEVAL_SECONDS, memory_type).observe(time.perf_counter() - began)
        return found or []

    async def _found(
        self, tenant_id: str, owners: Sequence[str], kinds: Sequence[str], query: str, limit: int
    ) -> list[RecalledMemory] | None:
        """None if there is nothing that could be found."""
        if not await self._nearness.has_any(tenant_id, owners, kinds):
            return None
        most = max(LEAST_CANDIDATES, CANDIDATES * limit)
        near = await self._nearness.nearest(tenant_id, owners, kinds, query, most)
        if not near:
            return []
        database = await self._database.get()
        rows = await database.rows(tenant_id, QUERIES.memories_by_id, list(near), list(owners))
        now = self._clock()
        return [each for row in rows if (each := recalled(row, near[row["id"]], now)) is not None]
