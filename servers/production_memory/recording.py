"""Recording how the calls of tools in a turn stand, and reading it."""

import structlog

from kari.conversation_models.v1.tool_pb2 import ToolStep
from kari.production_memory.v1.production_memory_pb2 import RecordToolStepsRequest
from servers.production_memory.leading import write_as_leader
from servers.production_memory.tables import STEPS, locked_turn, turn_row
from servers.production_memory.tool_step import (
    STEPS_BYTES,
    columns_of,
    fitting,
    nothing_asked,
    require_recordable,
    step_of,
)
from servers.production_memory.turn import asks, require_led
from servers.production_memory.writes import written
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

log = structlog.get_logger("kari.production_memory")


class Recording:
    """Keeps the calls of turns. Only who leads a turn records."""

    def __init__(self, database: Resource[Database]) -> None:
        self._database = database

    async def record(self, tenant_id: str, request: RecordToolStepsRequest) -> bool:
        """Records calls; True if the turn was called off: then it does not wait either. Conflict if
        it is led by others or over; InvalidRequest if a call cannot stand like that."""
        require_recordable(request)
        database = await self._database.get()
        with written("tool_steps"):
            if not request.await_answers:
                return await write_as_leader(
                    database,
                    tenant_id,
                    STEPS.record_tool_steps,
                    request.turn_id,
                    request.lease,
                    *columns_of(request.steps),
                    _usage(request),
                )
            async with database.transaction(tenant_id) as connection:
                called_off = await _wait(connection, request)
        log.info("turn asks its user", turn=request.turn_id, called_off=called_off)
        return called_off

    async def steps(self, tenant_id: str, turn_id: str) -> list[ToolStep]:
        """The calls of a turn, in order, with STEPS_BYTES of arguments and results; NotFound if
        there is no such turn."""
        database = await self._database.get()
        async with database.transaction(tenant_id) as connection:
            row = await turn_row(connection, turn_id)
            if not row["uses_tools"]:
                return []
            found = await connection.fetch(STEPS.steps_of_turn, turn_id)
        return fitting([step_of(each) for each in found], STEPS_BYTES)


async def _wait(connection: Connection, request: RecordToolStepsRequest) -> bool:
    """Records calls and leaves the turn to its user, unless it was called off. Its thread is locked
    first, as by everything that changes who leads."""
    row, number = await locked_turn(connection, request.turn_id), request.lease.number
    if asks(row) and row["lease_number"] == number:
        return False  # An earlier request did it; its answer was lost.
    called_off = await connection.fetchval(
        STEPS.record_tool_steps,
        request.turn_id,
        number,
        request.lease.duration.ToTimedelta(),
        *columns_of(request.steps),
        _usage(request),
    )
    if called_off is None:
        require_led(row, number)
    if not called_off and await connection.fetchval(STEPS.await_answers, request.turn_id) is None:
        raise nothing_asked()
    return bool(called_off)


def _usage(request: RecordToolStepsRequest) -> bytes | None:
    return request.usage.SerializeToString() if request.HasField("usage") else None
