"""Storing memories: what is to be remembered, through the write gate, in one transaction with the
jobs that make its vector."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from asyncpg import Record

from servers.production_memory.jobs import Jobs
from servers.production_memory.tables import one
from servers.production_memory.vault.fading import Trace, due_at
from servers.production_memory.vault.gate import PROCEDURAL, Claim, Decision, Refusal, decide
from servers.production_memory.vault.memory import known_of
from servers.production_memory.vault.memory_jobs import MemoryJob
from servers.production_memory.vault.metrics import CONTRADICTIONS, GATE_BLIND, REFUSALS, STORED
from servers.production_memory.vault.nearness import Nearness
from servers.production_memory.vault.personal_data import without_personal_data
from servers.production_memory.vault.requests import Source, Written, note, repeated, was_done
from servers.production_memory.vault.tables import QUERIES, lock_owners
from servers.production_memory.writes import written
from servers.runtime.errors import KariError
from servers.runtime.ids import new_id
from servers.runtime.labelled import labelled
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

NEAR_MEMORIES = 5
NEAR_SECONDS = 2.0
"""Comparing by meaning is worth no more of the five seconds that a call has."""
SAID_CHARACTERS = 4000

log = structlog.get_logger("kari.production_memory")


def utc_now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Detail:
    """What a memory has beside its statement. `evidence` are messages of the conversation."""

    importance: int
    origin: str
    conversation_id: str = ""
    evidence: Sequence[str] = ()


@dataclass(frozen=True)
class Statement:
    """A claim with its detail, and the cosines of the memories that are near to it."""

    claim: Claim
    detail: Detail
    near: dict[str, float]


class Writing:
    """The one way into `memories`. Statements of one owner come one after the other."""

    def __init__(
        self,
        database: Resource[Database],
        jobs: Jobs,
        nearness: Nearness,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._nearness = nearness
        self.clock = clock

    async def write(
        self, tenant_id: str, owner: str, claim: Claim, detail: Detail, source: Source
    ) -> Written:
        """Stores a claim if the gate lets it through, without the personal data in it."""
        statement = await self._statement(tenant_id, owner, claim, detail)
        database = await self._database.get()
        with written("memories"):
            async with database.transaction(tenant_id) as connection:
                await lock_owners(connection, owner, source.user_id)
                result = await repeated(connection, source)
                if result is None:
                    result = await self._decided(connection, owner, statement)
                    await note(connection, source, result)
        self.wake()
        return result

    async def write_all(
        self, tenant_id: str, owner: str, found: Sequence[tuple[Claim, Detail]], source: Source
    ) -> int:
        """Stores what of several claims the gate lets through, all in one transaction; gives how
        many that were. Nothing is done if the source was seen before."""
        statements = [await self._statement(tenant_id, owner, *each) for each in found]
        database = await self._database.get()
        with written("memories"):
            async with database.transaction(tenant_id) as connection:
                await lock_owners(connection, owner, source.user_id)
                if await was_done(connection, source):
                    return 0
                results = [await self._decided(connection, owner, each) for each in statements]
                await note(connection, source)
        self.wake()
        return sum(result.outcome in ("stored", "replaced") for result in results)

    async def add(
        self, connection: Connection, owner: str, statement: Statement, decision: Decision
    ) -> Written:
        """Adds a memory as it was decided, with the job of its vector. The owner is locked."""
        row = await self._insert(connection, owner, statement, decision)
        replaced = list(decision.replaces)
        if replaced:
            stated_at = statement.claim.stated_at
            await connection.execute(QUERIES.replace_memories, replaced, stated_at, row["id"])
            CONTRADICTIONS.inc(len(replaced))
        await self.enqueue(connection, row["tenant_id"], [row["id"], *replaced])
        labelled(STORED, row["kind"]).inc()
        log.info("memory stored", memory=row["id"], kind=row["kind"], replaced=len(replaced))
        old = await one(connection, QUERIES.memory, replaced[0]) if replaced else None
        return Written(row, "replaced" if old else "stored", old)

    async def enqueue(
        self, connection: Connection, tenant_id: str, memory_ids: Sequence[str]
    ) -> None:
        """Adds the job that brings the vectors of these memories up to date."""
        await self._jobs.enqueue(connection, MemoryJob(tenant_id, tuple(memory_ids)))

    def wake(self) -> None:
        """Says that there are jobs; to be called after the commit."""
        self._jobs.wake()

    async def _statement(
        self, tenant_id: str, owner: str, claim: Claim, detail: Detail
    ) -> Statement:
        claim = replace(claim, content=without_personal_data(claim.content))
        return Statement(claim, detail, await self._near(tenant_id, owner, claim))

    async def _decided(self, connection: Connection, owner: str, statement: Statement) -> Written:
        claim, detail, near = statement.claim, statement.detail, statement.near
        said = await connection.fetch(
            QUERIES.said_before, detail.conversation_id, list(detail.evidence), SAID_CHARACTERS
        )
        found = await connection.fetch(
            QUERIES.holding_like, owner, claim.meaning, claim.slot, list(near)
        )
        known = [known_of(row, near.get(row["id"], 0.0)) for row in found]
        decision = decide(claim, known, [row["beginning"] for row in said])
        if decision.refusal is not None:
            return await _refused(connection, claim, decision, decision.refusal)
        return await self.add(connection, owner, statement, decision)

    async def _insert(
        self, connection: Connection, owner: str, statement: Statement, decision: Decision
    ) -> Record:
        claim, detail, later = statement.claim, statement.detail, None
        if decision.outdated_by:
            later = await one(connection, QUERIES.memory, decision.outdated_by)
        return await one(
            connection,
            QUERIES.add_memory,
            new_id("mem"),
            owner,
            claim.kind,
            claim.content,
            claim.meaning,
            detail.importance,
            detail.origin,
            decision.slot,
            claim.value if decision.slot else "",
            claim.negated,
            list(detail.evidence),
            detail.conversation_id if detail.evidence else "",
            claim.stated_at,
            max(later["valid_from"], claim.stated_at) if later else None,
            later["id"] if later else "",
            None if later else self._first_due(claim, detail.importance),
        )

    def _first_due(self, claim: Claim, importance: int) -> datetime | None:
        trace = Trace(claim.kind, importance, 0, claim.stated_at, claim.stated_at)
        return due_at(trace, self.clock())

    async def _near(self, tenant_id: str, owner: str, claim: Claim) -> dict[str, float]:
        """What may say the same in other words; nothing if that cannot be known now. Where there is
        a slot, its values are compared instead, but of a procedure: its slot is its question."""
        compared = claim.slot and claim.kind != PROCEDURAL
        if compared or not await self._nearness.has_any(tenant_id, [owner]):
            return {}
        try:
            async with asyncio.timeout(NEAR_SECONDS):
                return await self._nearness.nearest(
                    tenant_id, [owner], [claim.kind], claim.content, NEAR_MEMORIES
                )
        except (KariError, TimeoutError, LookupError) as error:  # LookupError: no Milvus is set
            GATE_BLIND.inc()
            log.warning("the write gate compares words alone", error=type(error).__name__)
            return {}


async def _refused(
    connection: Connection, claim: Claim, decision: Decision, refusal: Refusal
) -> Written:
    labelled(REFUSALS, refusal.value).inc()
    if not decision.duplicate_of:
        return Written(None, refusal.value)
    row = await one(connection, QUERIES.confirm_memory, decision.duplicate_of, claim.stated_at)
    return Written(row, refusal.value)
