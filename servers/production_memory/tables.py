"""The statements of this server, and rows that several of them read."""

from pathlib import Path

from asyncpg import Record

from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.tool_pb2 import ToolStep, ToolUse
from kari.conversation_models.v1.turn_pb2 import Turn
from kari.production_memory.v1.production_memory_pb2 import LedTurn
from servers.production_memory.message import message_of
from servers.production_memory.tool_step import PENDING_BYTES, fitting, step_of, use_of
from servers.production_memory.turn import AWAITING_APPROVAL, led_turn_of, turn_of, unknown_turn
from servers.runtime.postgres import Connection
from servers.runtime.queries import Queries

QUERIES = Queries(Path(__file__).with_name("queries.sql"))
STEPS = Queries(Path(__file__).with_name("tool_steps.sql"))
FILES = Queries(Path(__file__).with_name("files.sql"))


async def one(connection: Connection, query: str, *arguments: object) -> Record:
    """The row of a statement that always gives one."""
    row = await connection.fetchrow(query, *arguments)
    if row is None:
        raise LookupError("a statement that always gives a row gave none")
    return row


async def turn_row(connection: Connection, turn_id: str) -> Record:
    """A turn's row; NotFound if the tenant has no such turn."""
    row = await connection.fetchrow(QUERIES.turn, turn_id)
    if row is None:
        raise unknown_turn()
    return row


async def message(connection: Connection, message_id: str) -> Message | None:
    """A message; None if the id is empty or unknown."""
    row = await connection.fetchrow(QUERIES.message, message_id) if message_id else None
    return message_of(row) if row is not None else None


async def led_turn(connection: Connection, row: Record, owner: str) -> LedTurn:
    """A turn with its message, as its leader needs it."""
    user_message = message_of(await one(connection, QUERIES.message, row["user_message_id"]))
    return led_turn_of(row, user_message, owner, await pending_steps(connection, row))


async def turn_with_pending(connection: Connection, row: Record) -> Turn:
    """The turn of a row, with the calls about which its user is asked."""
    return turn_of(row, await pending_steps(connection, row))


async def pending_steps(connection: Connection, row: Record) -> list[ToolStep]:
    """The calls about which a turn's user was asked and has not answered; looked for only while it
    waits for approval."""
    if row["state"] != AWAITING_APPROVAL:
        return []
    found = await connection.fetch(STEPS.pending_steps, row["id"])
    return fitting([step_of(each) for each in found], PENDING_BYTES)


async def tools_used(connection: Connection, row: Record) -> list[ToolUse]:
    """The calls of a turn that have ended; looked for only if it has any."""
    if not row["uses_tools"]:
        return []
    return [use_of(each) for each in await connection.fetch(STEPS.tools_used, row["id"])]


async def locked_turn(connection: Connection, turn_id: str) -> Record:
    """The turn's row, its thread locked first; NotFound if the tenant has no such turn."""
    row = await connection.fetchrow(QUERIES.locked_turn, turn_id)
    if row is None:
        raise unknown_turn()
    return row
