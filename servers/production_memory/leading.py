"""Leading a turn: claiming it, keeping it, recording how far it has come."""

from datetime import timedelta

import structlog

from kari.production_memory.v1.production_memory_pb2 import (
    AdvanceTurnRequest,
    Lease,
    LedTurn,
    RenewLeaseRequest,
)
from servers.production_memory.tables import QUERIES, led_turn
from servers.production_memory.turn import require_led
from servers.production_memory.vault.reads import memories_read
from servers.production_memory.writes import written
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

MOST_CLAIMED = 10

log = structlog.get_logger("kari.production_memory")


class Leading:
    """Hands out leases. Claims lock the thread first, like everything that changes who leads."""

    def __init__(self, database: Resource[Database]) -> None:
        self._database = database

    async def claim(self, tenant_id: str, conversation_id: str, lease: Lease) -> LedTurn | None:
        """Leases the turn that comes next; None if none waits or the conversation is busy."""
        database = await self._database.get()
        with written("claim_turn"):
            async with database.transaction(tenant_id) as connection:
                await connection.fetchval(QUERIES.lock_known_thread, conversation_id)
                return await claim_waiting(connection, conversation_id, lease)

    async def claim_abandoned(self, lease: Lease, limit: int) -> list[LedTurn]:
        """Leases turns of any tenant that nobody leads: their leader was silent for longer than
        its lease, or they wait for longer than this lease although their conversation is free."""
        database = await self._database.get()
        async with database.across_tenants() as connection:
            found = await connection.fetch(
                QUERIES.abandoned_conversations, _duration(lease), limit or MOST_CLAIMED
            )
            claimed = [
                await _claim_abandoned(connection, row["tenant_id"], row["conversation_id"], lease)
                for row in found
            ]
        turns = [turn for turn in claimed if turn is not None]
        for turn in turns:
            log.warning("abandoned turn claimed", turn=turn.turn.id, tenant=turn.tenant_id)
        return turns

    async def renew(self, tenant_id: str, request: RenewLeaseRequest) -> bool:
        """Keeps a turn; True if it was called off. Conflict if it is led by others or over."""
        database = await self._database.get()
        return await write_as_leader(
            database, tenant_id, QUERIES.renew_lease, request.turn_id, request.lease
        )

    async def advance(self, tenant_id: str, request: AdvanceTurnRequest) -> bool:
        """Records that the model writes, and that the memories in the prompt were read; True if the
        turn was called off. Conflict as above."""
        selection = request.selection.SerializeToString() if request.HasField("selection") else None
        manifest = request.manifest.SerializeToString() if request.HasField("manifest") else None
        read = memories_read(request.manifest)
        values = (selection, manifest, read) if read else (selection, manifest)
        query = QUERIES.advance_turn_reading if read else QUERIES.advance_turn
        database = await self._database.get()
        with written("advance_turn"):
            return await write_as_leader(
                database, tenant_id, query, request.turn_id, request.lease, *values
            )


async def claim_waiting(
    connection: Connection, conversation_id: str, lease: Lease
) -> LedTurn | None:
    """Leases the turn that comes next, of a thread that is locked; see Leading.claim."""
    return await _claim(connection, QUERIES.claim_waiting, conversation_id, lease)


async def write_as_leader(
    database: Database, tenant_id: str, query: str, turn_id: str, lease: Lease, *values: object
) -> bool:
    """One statement that only the leader may make, which renews the lease; True if the turn was
    called off. Conflict if it is led by others or over, NotFound if there is none."""
    called_off = await database.value(
        tenant_id, query, turn_id, lease.number, _duration(lease), *values
    )
    if called_off is None:
        require_led(await database.row(tenant_id, QUERIES.turn, turn_id), lease.number)
    return bool(called_off)


async def _claim(
    connection: Connection, query: str, conversation_id: str, lease: Lease
) -> LedTurn | None:
    row = await connection.fetchrow(query, conversation_id, lease.owner, _duration(lease))
    return None if row is None else await led_turn(connection, row, lease.owner)


async def _claim_abandoned(
    connection: Connection, tenant_id: str, conversation_id: str, lease: Lease
) -> LedTurn | None:
    """Under the turn's own tenant, like every other write."""
    await connection.execute(QUERIES.enter_tenant, tenant_id)
    await connection.fetchval(QUERIES.lock_known_thread, conversation_id)
    silent = await _claim(connection, QUERIES.claim_silent, conversation_id, lease)
    return silent or await _claim(connection, QUERIES.claim_waiting, conversation_id, lease)


def _duration(lease: Lease) -> timedelta:
    return lease.duration.ToTimedelta()
