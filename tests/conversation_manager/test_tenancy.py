"""What the database itself lets the server's role do, whatever the server's code says."""

import asyncpg
import pytest

from kari.conversation_models.v1.conversation_pb2 import ConversationChange
from servers.runtime.ids import new_id
from tests.conversation_manager.manager import Manager

TABLES = ("conversations", "participants", "updates", "proposals")


@pytest.mark.parametrize("table", TABLES)
async def test_rows_of_another_tenant_are_not_seen(manager: Manager, table: str) -> None:
    made = await manager.create()
    await manager.update(made.id, ConversationChange(title="Plans"))
    await manager.propose(made.id, ConversationChange(title="Other plans"))
    counts = []
    for tenant_id in (manager.somebody.tenant_id, new_id("tenant"), ""):
        connection = await manager.connect(tenant_id)
        counts.append(await connection.fetchval(f"SELECT count(*) FROM {table}"))
        await connection.close()
    assert counts == [1, 0, 0]


async def test_rows_of_another_tenant_cannot_be_changed(manager: Manager) -> None:
    made = await manager.create()
    connection = await manager.connect(new_id("tenant"))
    changed = await connection.execute(
        "UPDATE conversations SET title = 'x' WHERE id = $1", made.id
    )
    removed = await connection.execute("DELETE FROM participants")
    await connection.close()
    assert (changed, removed) == ("UPDATE 0", "DELETE 0")


async def test_nobody_is_taken_into_a_conversation_of_another_tenant(manager: Manager) -> None:
    """Not even by naming it."""
    made = await manager.create()
    connection = await manager.connect(new_id("tenant"))
    insert = "INSERT INTO participants (conversation_id, user_id) VALUES ($1, 'user_x')"
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await connection.execute(insert, made.id)
    insert = insert.replace("(conv", "(tenant_id, conv").replace("($1", "($2, $1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await connection.execute(insert, made.id, manager.somebody.tenant_id)
    await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE updates SET user_id = ''",
        "DELETE FROM updates",
        "DELETE FROM conversations",
        "ALTER TABLE updates NO FORCE ROW LEVEL SECURITY",
        "SELECT * FROM production_memory.messages",
    ],
)
async def test_the_role_can_do_only_what_the_server_does(manager: Manager, statement: str) -> None:
    """The log is never rewritten, and other servers' schemas are closed."""
    connection = await manager.connect(manager.somebody.tenant_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    await connection.close()
