"""What the database itself lets the server's role do with memories, whatever its code says."""

import asyncpg
import pytest

from servers.runtime.ids import new_id
from tests.production_memory.vault.vault import Vault

TABLES = ("memories", "memory_requests", "forget_receipts")


@pytest.mark.parametrize("table", TABLES)
async def test_rows_of_another_tenant_are_not_seen(vault: Vault, table: str) -> None:
    await vault.remember("I take sugar in my tea")
    await vault.forget(await vault.remembered("I take milk in my coffee"))
    counts = []
    for tenant_id in (vault.somebody.tenant_id, new_id("tenant"), "", None):
        connection = await vault.turns.connect(tenant_id)
        counts.append(await connection.fetchval(f"SELECT count(*) FROM {table}"))
        await connection.close()
    assert counts[0] > 0
    assert counts[1:] == [0, 0, 0]


async def test_rows_cannot_be_handed_to_another_tenant(vault: Vault) -> None:
    await vault.remember("I take sugar in my tea")
    connection = await vault.turns.connect(vault.somebody.tenant_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await connection.execute("UPDATE memories SET tenant_id = 'tenant_other'")
    await connection.close()


async def test_rows_of_another_tenant_are_not_erased(vault: Vault) -> None:
    memory = await vault.remembered("I take sugar in my tea")
    connection = await vault.turns.connect(new_id("tenant"))
    assert await connection.execute("DELETE FROM memories WHERE id = $1", memory.id) == "DELETE 0"
    await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM forget_receipts",
        "DELETE FROM memory_requests",
        "TRUNCATE memories",
        "ALTER TABLE memories DISABLE ROW LEVEL SECURITY",
        "SELECT content FROM memories_due(now(), 10)",
        "SELECT content FROM memories_to_index('', '', 10)",
    ],
)
async def test_the_role_can_do_only_what_the_server_does(vault: Vault, statement: str) -> None:
    """Receipts stay, and what looks at every tenant hands out ids only."""
    connection = await vault.turns.connect(vault.somebody.tenant_id)
    try:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedColumnError)):
            await connection.execute(statement)
    finally:
        await connection.close()
