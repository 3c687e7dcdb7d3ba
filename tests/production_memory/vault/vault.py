"""NeuroVault as its callers use it: short words for long requests."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from kari.conversation_models.v1.context_pb2 import (
    ContextCandidate,
    ContextManifest,
    ContextSource,
    ContextVerdict,
)
from kari.conversation_models.v1.memory_pb2 import (
    ForgetReceipt,
    Memory,
    MemoryKind,
    MemoryOrigin,
    MemoryScope,
    RememberOutcome,
)
from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.runtime.ids import new_id
from tests.hosting import Somebody, until
from tests.production_memory import memory as turns
from tests.production_memory.vectors import vectors_of

EPISODIC = MemoryKind.MEMORY_KIND_EPISODIC
SEMANTIC = MemoryKind.MEMORY_KIND_SEMANTIC
PROCEDURAL = MemoryKind.MEMORY_KIND_PROCEDURAL
USER, DOMAIN = MemoryScope.MEMORY_SCOPE_USER, MemoryScope.MEMORY_SCOPE_DOMAIN
RULES, ASKED = MemoryOrigin.MEMORY_ORIGIN_RULES, MemoryOrigin.MEMORY_ORIGIN_ASKED
MODEL, CONSOLIDATED = MemoryOrigin.MEMORY_ORIGIN_MODEL, MemoryOrigin.MEMORY_ORIGIN_CONSOLIDATED
STORED = RememberOutcome.REMEMBER_OUTCOME_STORED
DUPLICATE = RememberOutcome.REMEMBER_OUTCOME_DUPLICATE
REPLACED = RememberOutcome.REMEMBER_OUTCOME_REPLACED
TRIVIAL = RememberOutcome.REMEMBER_OUTCOME_TRIVIAL
REPEATS = RememberOutcome.REMEMBER_OUTCOME_REPEATS_ASSISTANT
KEPT, CUT = ContextVerdict.CONTEXT_VERDICT_KEPT, ContextVerdict.CONTEXT_VERDICT_CUT_BUDGET
SHORTENED = ContextVerdict.CONTEXT_VERDICT_SHORTENED
EDITOR = frozenset({"chat.user", "chat.config.edit"})


@dataclass(frozen=True)
class Vault:
    """A production memory in the hands of a user."""

    turns: turns.Memory

    @property
    def somebody(self) -> Somebody:
        return self.turns.somebody

    def acts(self, **changes: Any) -> Any:
        """Somebody else acts: another user of another tenant, unless told which."""
        return Somebody(**changes).acts(self.turns.wiring)

    def colleague(self, **changes: Any) -> Any:
        """Another user of the same tenant acts."""
        return self.acts(tenant_id=self.somebody.tenant_id, **changes)

    async def remember(self, content: str, **fields: Any) -> contract.RememberResponse:
        fields = {"request_id": new_id("req")} | fields
        return await self.turns.stub.Remember(contract.RememberRequest(content=content, **fields))

    async def remembered(self, content: str, **fields: Any) -> Memory:
        """The memory that has it."""
        return (await self.remember(content, **fields)).memory

    async def correct(self, memory: Memory, content: str, **fields: Any) -> Any:
        fields = {"request_id": new_id("req"), "memory_id": memory.id} | fields
        return await self.turns.stub.CorrectMemory(
            contract.CorrectMemoryRequest(content=content, **fields)
        )

    async def forget(self, *memories: Memory, **fields: Any) -> ForgetReceipt:
        fields = {"request_id": new_id("req"), "memory_ids": [m.id for m in memories]} | fields
        response = await self.turns.stub.ForgetMemories(contract.ForgetMemoriesRequest(**fields))
        return response.receipt

    async def receipt(self, receipt_id: str) -> ForgetReceipt:
        request = contract.GetForgetReceiptRequest(receipt_id=receipt_id)
        return (await self.turns.stub.GetForgetReceipt(request)).receipt

    async def page(self, **fields: Any) -> contract.ListMemoriesResponse:
        return await self.turns.stub.ListMemories(contract.ListMemoriesRequest(**fields))

    async def memories(self, **fields: Any) -> list[Memory]:
        return list((await self.page(**fields)).memories)

    async def contents(self, **fields: Any) -> list[str]:
        return [memory.content for memory in await self.memories(**fields)]

    async def get(self, *ids: str) -> list[Memory]:
        request = contract.GetMemoriesRequest(memory_ids=ids)
        return list((await self.turns.stub.GetMemories(request)).memories)

    async def recall(self, query: str, **fields: Any) -> list[contract.RecalledMemory]:
        request = contract.RecallMemoriesRequest(query=query, **fields)
        return list((await self.turns.stub.RecallMemories(request)).memories)

    async def procedures(self, query: str, **fields: Any) -> list[contract.RecalledMemory]:
        request = contract.RecallProceduresRequest(query=query, **fields)
        return list((await self.turns.stub.RecallProcedures(request)).procedures)

    async def vectors(self) -> dict[str, dict[str, Any]]:
        """What Milvus has of the tenant's memories."""
        return await vectors_of(self.turns.wiring.settings, self.somebody.tenant_id, "memories")

    async def indexed(self, *memories: Memory) -> None:
        """Returns once Milvus has exactly these."""
        wanted = {memory.id for memory in memories}

        async def found() -> bool:
            return set(await self.vectors()) == wanted

        await until(found)

    async def read(self, *candidates: tuple[str, Any], repeats: int = 1) -> None:
        """A turn whose prompt was made of these memories, by id and verdict."""
        turn = (await self.turns.begin()).led_turn.turn
        manifest = manifest_of(*candidates)
        for _ in range(repeats):
            await self.turns.advance(turn.id, manifest=manifest)
        await self.turns.finish(turn.id)

    async def learned(self, count: int) -> list[Memory]:
        """The user's memories, once there are so many."""

        async def enough() -> list[Memory] | None:
            found = await self.memories(include_past=True)
            return found if len(found) >= count else None

        return await until(enough)

    async def jobs_left(self, kind: str) -> int:
        """Jobs of a kind that wait or are under way, of this tenant."""
        connection: asyncpg.Connection = await self.turns.connect()
        try:
            return await connection.fetchval(
                "SELECT count(*) FROM pgqueuer WHERE status IN ('queued', 'picked')"
                " AND entrypoint = $1 AND position($2 IN convert_from(payload, 'UTF8')) > 0",
                kind,
                self.somebody.tenant_id,
            )
        finally:
            await connection.close()

    async def settled(self, kind: str) -> None:
        """Returns once no such job of this tenant is left."""

        async def none_left() -> bool:
            return not await self.jobs_left(kind)

        await until(none_left)

    async def change(self, statement: str, *arguments: object) -> None:
        """A statement under the server's own role and this tenant."""
        connection = await self.turns.connect(self.somebody.tenant_id)
        await connection.execute(statement, *arguments)
        await connection.close()

    async def age(self, memory: Memory, hours: float) -> None:
        """Makes a memory older by so many hours."""
        await self.change(
            "UPDATE memories SET valid_from = valid_from - $2 * interval '1 hour',"
            " confirmed_at = confirmed_at - $2 * interval '1 hour',"
            " last_read_at = last_read_at - $2 * interval '1 hour',"
            " due_at = due_at - $2 * interval '1 hour' WHERE id = $1",
            memory.id,
            hours,
        )


def manifest_of(*candidates: tuple[str, Any]) -> ContextManifest:
    """A manifest of memories, by id and verdict."""
    return ContextManifest(
        candidates=[
            ContextCandidate(
                source=ContextSource.CONTEXT_SOURCE_VAULT, memory_id=memory_id, verdict=verdict
            )
            for memory_id, verdict in candidates
        ]
    )
