"""Reading memories as their owners see them."""

from collections.abc import Sequence

from kari.conversation_models.v1.memory_pb2 import Memory
from kari.production_memory.v1.production_memory_pb2 import ListMemoriesRequest
from servers.production_memory.vault.memory import DOMAIN, kind_name, memory_of, owner_of
from servers.production_memory.vault.tables import QUERIES
from servers.runtime import paging
from servers.runtime.call import Principal
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

BEHIND_ALL = "mem_~"
"""Behind every id of a memory."""


class Listing:
    """Lists memories, and finds them by id."""

    def __init__(self, database: Resource[Database]) -> None:
        self._database = database

    async def page(self, request: ListMemoriesRequest, who: Principal) -> tuple[list[Memory], str]:
        """A page of the caller's memories or of the domain's, the latest first, and the token of
        the next one."""
        size = paging.size_of(request.page_size)
        (before,) = paging.place_of(request.page_token, str) or (BEHIND_ALL,)
        database = await self._database.get()
        rows = await database.rows(
            who.tenant_id,
            QUERIES.memories_before,
            owner_of(request.scope, who.user_id),
            [kind_name(kind) for kind in request.kinds if kind],
            request.include_past,
            before,
            size + 1,
        )
        token = paging.token_of(rows[size - 1]["id"]) if len(rows) > size else ""
        return [memory_of(row) for row in rows[:size]], token

    async def by_id(self, ids: Sequence[str], who: Principal) -> list[Memory]:
        """Memories of the caller or of the domain in the order of `ids`, those that no longer hold
        too; others are left out."""
        database = await self._database.get()
        rows = await database.rows(
            who.tenant_id, QUERIES.memories_by_id, list(ids), [who.user_id, DOMAIN]
        )
        found = {row["id"]: memory_of(row) for row in rows}
        return [found[each] for each in ids if each in found]
