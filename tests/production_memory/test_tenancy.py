"""What the database itself lets the server's role do, whatever the server's code says."""

import asyncpg
import pytest

from servers.runtime.ids import new_id
from tests.production_memory.calling import record, step
from tests.production_memory.filed import indexed
from tests.production_memory.memory import Memory

TABLES = (
    *("threads", "messages", "turns", "tool_steps"),
    *("file_texts", "file_chunks", "file_uses"),
)


@pytest.mark.parametrize("table", TABLES)
async def test_rows_of_another_tenant_are_not_seen(memory: Memory, table: str) -> None:
    turn_id = (await memory.begin("question")).led_turn.turn.id
    await record(memory, turn_id, step())
    await indexed(memory.wiring, "text", conversation_id=memory.conversation_id)
    counts = []
    for tenant_id in (memory.somebody.tenant_id, new_id("tenant"), "", None):
        connection = await memory.connect(tenant_id)
        counts.append(await connection.fetchval(f"SELECT count(*) FROM {table}"))
        await connection.close()
    assert counts[0] > 0
    assert counts[1:] == [0, 0, 0]


async def test_rows_cannot_be_written_for_another_tenant(memory: Memory) -> None:
    connection = await memory.connect(new_id("tenant"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await connection.execute(
            "INSERT INTO threads (tenant_id, conversation_id) VALUES ($1, $2)",
            memory.somebody.tenant_id,
            new_id("conv"),
        )
    await connection.close()


async def test_rows_of_another_tenant_cannot_be_changed(memory: Memory) -> None:
    turn_id = (await memory.exchange("question", "answer")).turn.id
    connection = await memory.connect(new_id("tenant"))
    changed = await connection.execute("UPDATE turns SET state = 'failed' WHERE id = $1", turn_id)
    assert changed == "UPDATE 0"
    await connection.close()


async def test_rows_cannot_be_handed_to_another_tenant(memory: Memory) -> None:
    await memory.exchange("question", "answer")
    connection = await memory.connect(memory.somebody.tenant_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await connection.execute("UPDATE turns SET tenant_id = 'tenant_other'")
    await connection.close()


@pytest.mark.parametrize("tenant_id", ["", None])
async def test_rows_without_a_tenant_cannot_be_written(
    memory: Memory, tenant_id: str | None
) -> None:
    connection = await memory.connect(tenant_id)
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.UndefinedObjectError)):
        await connection.execute("INSERT INTO threads (conversation_id) VALUES ('conv')")
    await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE messages SET content = ''",
        "DELETE FROM messages",
        "DELETE FROM turns",
        "DELETE FROM file_texts",
        "TRUNCATE threads",
        "ALTER TABLE messages DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE other (id int)",
        "SELECT * FROM conversation_manager.conversations",
        "SELECT * FROM identity.users",
    ],
)
async def test_the_role_can_do_only_what_the_server_does(memory: Memory, statement: str) -> None:
    """Committed messages are never changed, and other servers' schemas are closed."""
    connection = await memory.connect(memory.somebody.tenant_id)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_owner_of_the_tables_is_bound_as_well(owner: asyncpg.Connection) -> None:
    for table in TABLES:
        assert await owner.fetchval(f"SELECT count(*) FROM production_memory.{table}") == 0


async def test_the_sweep_hands_out_ids_only(memory: Memory) -> None:
    connection = await memory.connect()
    rows = await connection.fetch("SELECT * FROM abandoned_conversations('1 hour', 1)")
    assert all(set(row.keys()) == {"tenant_id", "conversation_id"} for row in rows)
    await connection.close()
