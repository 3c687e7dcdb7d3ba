"""The schema as a whole: one schema and role a server, row-level security on every tenant's row."""

import asyncpg
import pytest
import pytest_asyncio

from cli.migrate import migrate
from servers import topology
from tests.migrations.conftest import Cluster, say

OWNERS = sorted(node.name for node in topology.SERVERS if "postgres" in node.stores)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def connection(cluster: Cluster):
    await migrate(cluster.ordinary, say)
    connection = await asyncpg.connect(cluster.ordinary)
    yield connection
    await connection.close()


async def test_every_server_that_keeps_rows_has_its_schema(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        "SELECT schemaname FROM (SELECT schemaname FROM pg_tables UNION SELECT schemaname FROM"
        " pg_views) AS s WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'kari')"
    )
    assert sorted(row["schemaname"] for row in rows) == OWNERS


@pytest.mark.parametrize("schema", OWNERS)
async def test_a_role_has_no_rights_outside_of_its_schema(
    connection: asyncpg.Connection, schema: str
) -> None:
    others = [other for other in OWNERS if other != schema]
    for other in others:
        allowed = "SELECT has_schema_privilege($1, $2, 'USAGE')"
        assert not await connection.fetchval(allowed, f"kari_{schema}", other)


@pytest.mark.parametrize("schema", OWNERS)
async def test_a_role_cannot_sign_in_and_owns_nothing(
    connection: asyncpg.Connection, schema: str
) -> None:
    role = await connection.fetchrow(
        "SELECT oid, rolcanlogin, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = $1",
        f"kari_{schema}",
    )
    owned = await connection.fetchval("SELECT count(*) FROM pg_class WHERE relowner = $1", role[0])
    assert (tuple(role)[1:], owned) == ((False, False, False), 0)


async def test_every_view_shows_the_rows_of_one_tenant(connection: asyncpg.Connection) -> None:
    """Views see past row-level security: the condition is in each of them."""
    rows = await connection.fetch(
        "SELECT viewname, definition FROM pg_views WHERE schemaname = ANY($1)", OWNERS
    )
    assert len(rows) >= 4
    mine = "tenant_id = current_setting('kari.tenant'::text, true)"
    assert [row["viewname"] for row in rows if mine not in row["definition"]] == []


async def test_every_row_of_a_tenant_is_behind_row_level_security(
    connection: asyncpg.Connection,
) -> None:
    """A table that names a tenant hides its rows from the others, and from its owner."""
    rows = await connection.fetch(
        "SELECT n.nspname || '.' || c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity"
        " AND EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid) AS guarded"
        " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
        " WHERE c.relkind = 'r' AND n.nspname = ANY($1)",
        OWNERS,
    )
    assert len(rows) >= 10
    assert [row["name"] for row in rows if not row["guarded"]] == []
