"""The database itself keeps tenants apart, whatever the code does."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource
from servers.runtime.settings import Settings
from tests.identity.conftest import Served, Tenant

TABLES = ("users", "sessions", "refresh_tokens")


async def rows(connection: Connection | asyncpg.Connection, table: str) -> int:
    found: int = await connection.fetchval(f"SELECT count(*) FROM identity.{table}")
    return found


@pytest_asyncio.fixture
async def owner(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner of the tables, such as a migration has."""
    assert settings.postgres_url is not None
    connection = await asyncpg.connect(settings.postgres_url.get_secret_value())
    yield connection
    await connection.close()


@pytest.mark.parametrize("table", TABLES)
async def test_without_a_tenant_there_are_no_rows(
    served: Served,
    tenant: Tenant,
    database: Resource[Database],
    owner: asyncpg.Connection,
    table: str,
) -> None:
    """Not for the server, and not for the tables' owner."""
    await served.login(tenant)
    async with (await database.get()).across_tenants() as connection:
        assert await rows(connection, table) == 0
    assert await rows(owner, table) == 0


async def test_a_tenant_s_rows_are_its_own(
    tenant: Tenant, other_tenant: Tenant, database: Resource[Database]
) -> None:
    async with (await database.get()).transaction(tenant.id) as connection:
        found = await connection.fetch("SELECT DISTINCT tenant_id FROM users")
    assert [row["tenant_id"] for row in found] == [tenant.id]


async def test_nothing_is_written_into_another_tenant(
    tenant: Tenant, other_tenant: Tenant, database: Resource[Database]
) -> None:
    opened = await database.get()
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with opened.transaction(tenant.id) as connection:
            await connection.execute("UPDATE users SET tenant_id = $1", other_tenant.id)
    async with opened.transaction(other_tenant.id) as connection:
        assert await rows(connection, "users") == 2


async def test_the_tenant_of_one_transaction_is_not_that_of_the_next(
    tenant: Tenant, database: Resource[Database]
) -> None:
    """Connections are shared."""
    opened = await database.get()
    for _ in range(8):
        async with opened.transaction(tenant.id) as connection:
            assert await rows(connection, "users") == 2
        async with opened.across_tenants() as connection:
            assert await rows(connection, "users") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM identity.users",
        "DELETE FROM identity.tenants",
        "UPDATE identity.tenants SET name = 'x'",
        "UPDATE identity.refresh_tokens SET generation = 0",
        "DROP TABLE identity.users",
        "CREATE TABLE identity.x ()",
        "CREATE TABLE public.x ()",
        "SELECT * FROM production_memory.messages",
        "SELECT * FROM kari.schema_migrations",
        "ALTER TABLE identity.users DISABLE ROW LEVEL SECURITY",
    ],
)
async def test_the_server_s_role_may_do_what_it_does_and_no_more(
    tenant: Tenant, database: Resource[Database], statement: str
) -> None:
    opened = await database.get()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with opened.transaction(tenant.id) as connection:
            await connection.execute(statement)
