"""Remembering what worked: completed turns that used tools propose a procedure, which goes through
the write gate like everything else."""

from collections.abc import Sequence

import structlog
from asyncpg import Record

from kari.conversation_models.v1.tool_pb2 import ToolCall
from servers.production_memory.vault.gate import PROCEDURAL, Claim
from servers.production_memory.vault.learning import acting_for
from servers.production_memory.vault.memory_jobs import ProcedureJob
from servers.production_memory.vault.procedure import case_of, sequence_of, slot_of, statement_of
from servers.production_memory.vault.requests import Source
from servers.production_memory.vault.tables import QUERIES
from servers.production_memory.vault.writing import Detail, Writing
from servers.runtime.call import acting
from servers.runtime.mesh_key import MeshKey
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

IMPORTANCE = 6
"""Without a read it is archived after 205 hours: ln(6 / 0.1) / 0.02."""

log = structlog.get_logger("kari.production_memory")


class Procedures:
    """Does procedure jobs. Doing one again stores nothing more."""

    def __init__(self, database: Resource[Database], writing: Writing, mesh_key: MeshKey) -> None:
        self._database = database
        self._writing = writing
        self._mesh_key = mesh_key

    async def do(self, jobs: Sequence[ProcedureJob]) -> None:
        """Does all jobs, each for the user whose turn it was; KariError if something is away."""
        database = await self._database.get()
        for job in jobs:
            row = await database.row(job.tenant_id, QUERIES.taught_turn, job.turn_id)
            calls = await database.rows(job.tenant_id, QUERIES.calls_that_worked, job.turn_id)
            if row is not None and calls:
                with acting(acting_for(self._mesh_key, row)):
                    await self._propose(row, calls)

    async def _propose(self, row: Record, calls: Sequence[Record]) -> None:
        case = case_of(row["content"])
        worked = [(call["tool_id"], ToolCall.FromString(call["call"])) for call in calls]
        slot, sequence = slot_of(case), sequence_of(worked)
        if not slot:
            return
        claim = Claim(
            statement_of(case, sequence),
            row["created_at"],
            kind=PROCEDURAL,
            slot=slot,
            value=sequence,
            recognized=True,
        )
        detail = Detail(IMPORTANCE, "rules", row["conversation_id"], [row["message_id"]])
        source = Source(row["user_id"], "learn", f"procedure of {row['id']}")
        stored = await self._writing.write_all(
            row["tenant_id"], row["user_id"], [(claim, detail)], source
        )
        log.info("procedure proposed", turn=row["id"], stored=stored)
