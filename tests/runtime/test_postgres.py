"""Postgres as servers use it, on a real one, and with it away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from servers.runtime.errors import InvalidRequest, Unavailable
from servers.runtime.postgres import Connection, Database, open_database, ping
from servers.runtime.settings import Settings
from tests.runtime.door import Door


@pytest_asyncio.fixture
async def door(settings: Settings) -> AsyncIterator[Door]:
    assert settings.postgres_url is not None
    async with Door(settings.postgres_url.get_secret_value()) as door:
        yield door


@pytest_asyncio.fixture
async def database(door: Door) -> AsyncIterator[Database]:
    """Identity's schema, through the door, over one connection."""
    settings = Settings(data=Path("unused"), postgres_url=door.url)
    async with open_database(settings, "identity", largest=1) as opened:
        yield opened


async def one(database: Database) -> Any:
    async with database.transaction("tenant_1") as connection:
        return await connection.fetchval("SELECT 1")


async def test_a_transaction_acts_under_the_server_s_role_and_tenant(database: Database) -> None:
    async with database.transaction("tenant_1") as connection:
        row = await connection.fetchrow(
            "SELECT current_user::text, current_schema()::text, current_setting('kari.tenant')"
        )
    assert tuple(row or ()) == ("kari_identity", "identity", "tenant_1")


async def test_the_tenant_does_not_outlive_the_transaction(database: Database) -> None:
    await one(database)
    async with database.across_tenants() as connection:
        assert not await connection.fetchval("SELECT current_setting('kari.tenant', true)")


@pytest.mark.parametrize("tenant", ["it's", "a\\'b", "'; DROP SCHEMA identity; --", "世界"])
async def test_a_tenant_is_a_text_whatever_it_holds(database: Database, tenant: str) -> None:
    async with database.transaction(tenant) as connection:
        assert await connection.fetchval("SELECT current_setting('kari.tenant')") == tenant


async def test_a_tenant_is_a_text_whatever_a_database_thinks_of_backslashes(door: Door) -> None:
    url = f"{door.url}?standard_conforming_strings=off"
    settings = Settings(data=Path("unused"), postgres_url=url)
    async with (
        open_database(settings, "identity", largest=1) as database,
        database.transaction("a\\'b") as connection,
    ):
        assert await connection.fetchval("SELECT current_setting('kari.tenant')") == "a\\'b"


async def test_no_tenant_holds_the_character_0(database: Database) -> None:
    with pytest.raises(ValueError, match="0000"):
        async with database.transaction("a\0b"):
            pass


@pytest.mark.parametrize("tenant", ["tenant_1", ""], ids=["of a tenant", "of none"])
async def test_a_cancellation_at_any_step_leaves_the_connection_fit(
    database: Database, tenant: str
) -> None:
    """The only one, also if it is called off while its transaction begins."""

    def begun() -> AbstractAsyncContextManager[Connection]:
        return database.transaction(tenant) if tenant else database.across_tenants()

    async def counts() -> int:
        async with begun() as connection:
            return int(await connection.fetchval("SELECT 1"))

    assert await counts() == 1
    for steps in range(40):
        task = asyncio.create_task(counts())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert await counts() == 1


async def test_what_a_cancelled_transaction_wrote_is_rolled_back(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Its connection, the only one, is fit for the next; and nobody calls that an error."""
    began = asyncio.Event()

    async def write_and_wait() -> None:
        async with database.transaction("tenant_1") as connection:
            await connection.execute("INSERT INTO tenants VALUES ('y', 'y', now())")
            began.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write_and_wait())
    await began.wait()
    task.cancel()
    await asyncio.wait({task})
    async with database.transaction("tenant_1") as connection:
        assert not await connection.fetchval("SELECT count(*) FROM tenants WHERE id = 'y'")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_what_an_error_leaves_is_rolled_back(database: Database) -> None:
    async def fail() -> None:
        async with database.across_tenants() as connection:
            await connection.execute("INSERT INTO tenants VALUES ('x', 'x', now())")
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await fail()
    async with database.across_tenants() as connection:
        assert not await connection.fetchval("SELECT count(*) FROM tenants WHERE id = 'x'")


async def test_what_was_not_committed_is_not_taken_for_committed(database: Database) -> None:
    """Postgres answers the COMMIT of a transaction that has failed with a silent ROLLBACK."""

    async def swallow() -> None:
        async with database.transaction("tenant_1") as connection:
            with suppress(asyncpg.DivisionByZeroError):
                await connection.fetchval("SELECT 1 / 0")

    with pytest.raises(RuntimeError, match="swallowed"):
        await swallow()
    assert await one(database) == 1


async def test_without_postgres_there_is_a_retryable_error(database: Database, door: Door) -> None:
    """For those who come, and for those who were inside; later all is well."""

    async def shut_in() -> None:
        async with database.transaction("tenant_1") as connection:
            await door.shut()
            await connection.fetchval("SELECT 1")

    assert await one(database) == 1
    with pytest.raises(Unavailable) as inside:
        await shut_in()
    with pytest.raises(Unavailable) as outside:
        await one(database)
    assert inside.value.details == outside.value.details == {"store": "postgres"}
    await door.open()
    assert await one(database) == 1


async def test_a_connection_that_the_server_ends_is_a_retryable_error(
    database: Database, settings: Settings
) -> None:
    """As in a restart of Postgres."""
    assert settings.postgres_url is not None
    other = await asyncpg.connect(settings.postgres_url.get_secret_value())

    async def be_ended() -> None:
        async with database.transaction("tenant_1") as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await other.execute("SELECT pg_terminate_backend($1)", pid)
            await connection.fetchval("SELECT pg_sleep(5)")

    with pytest.raises(Unavailable):
        await be_ended()
    await other.close()
    assert await one(database) == 1


async def test_an_error_of_the_caller_s_own_is_not_blamed_on_postgres(database: Database) -> None:
    """A full disk of ours, a defect in an argument."""
    with pytest.raises(FileNotFoundError):
        async with database.transaction("tenant_1"):
            raise FileNotFoundError
    with pytest.raises(asyncpg.DataError):
        async with database.transaction("tenant_1") as connection:
            await connection.fetchval("SELECT $1::int", "no number")
    assert await one(database) == 1


async def test_a_character_that_text_cannot_hold_is_the_client_s_fault(
    database: Database,
) -> None:
    with pytest.raises(InvalidRequest, match="U\\+0000"):
        async with database.transaction("tenant_1") as connection:
            await connection.fetchval("SELECT $1::text", "a\0b")
    assert await one(database) == 1


async def test_who_waits_for_a_connection_can_be_cancelled(database: Database) -> None:
    """The one connection is held; the waiter's deadline passes; nothing is lost."""
    async with database.transaction("tenant_1"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await one(database)
    assert await one(database) == 1


async def test_a_query_that_is_cancelled_gives_its_connection_back(database: Database) -> None:
    """As when a call's deadline passes."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), database.transaction("tenant_1") as connection:
            await connection.execute("SELECT pg_sleep(30)")
    assert await asyncio.wait_for(one(database), 5) == 1


async def test_a_ping_says_whether_postgres_answers(database: Database, door: Door) -> None:
    await ping(database)
    await door.shut()
    with pytest.raises((OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
        await ping(database)


async def test_a_url_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="KARI_POSTGRES_URL"):
        async with open_database(Settings(data=tmp_path), "identity", largest=1):
            pass


async def test_a_single_statement_acts_for_its_tenant(database: Database) -> None:
    """Over one connection, whoever used it before and however that ended."""
    query = "SELECT current_setting('kari.tenant')"
    assert await database.value("tenant_1", query) == "tenant_1"
    assert await database.value("tenant_2", query) == "tenant_2"
    async with database.transaction("tenant_3") as connection:
        assert await connection.fetchval(query) == "tenant_3"
    assert (await database.row("tenant_2", query) or "")[0] == "tenant_2"
    assert [tuple(row) for row in await database.rows("it's", query)] == [("it's",)]


async def test_nobody_s_transaction_does_not_act_for_the_tenant_before(database: Database) -> None:
    await database.value("tenant_1", "SELECT 1")
    async with database.across_tenants() as connection:
        assert not await connection.fetchval("SELECT current_setting('kari.tenant', true)")
    assert await database.value("tenant_1", "SELECT current_setting('kari.tenant')") == "tenant_1"


async def test_a_cancelled_change_of_tenant_leaves_no_doubt_behind(database: Database) -> None:
    """Cancelled in each of its first steps, the next statement acts for its own tenant."""
    query = "SELECT current_setting('kari.tenant')"
    for steps in range(12):
        await database.value("tenant_1", query)
        task = asyncio.create_task(database.value("tenant_2", query))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert await database.value("tenant_3", query) == "tenant_3"
        assert await database.value("tenant_1", query) == "tenant_1"
