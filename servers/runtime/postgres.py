"""Postgres as servers use it: one schema and one role a server, the tenant set in every
transaction, failures as our errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest, Unavailable
from servers.runtime.settings import Settings

Connection = asyncpg.pool.PoolConnectionProxy

# What asyncpg raises when the server is away, stopping, starting, full or cut off. A closed
# connection is an InterfaceError; so is a DataError, which is a defect of ours.
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
    TimeoutError,
)

# What it says of U+0000, which protobuf strings may hold and Postgres' text may not.
UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


class Database:
    """One server's schema, under its own role `kari_<schema>`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(self, tenant_id: str) -> AsyncIterator[Connection]:
        """A transaction that sees and writes rows of one tenant only; row-level security reads
        `kari.tenant`. Unavailable (retryable) if Postgres is away."""
        with _our_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT set_config('kari.tenant', $1, true)", tenant_id)
                yield connection

    @asynccontextmanager
    async def across_tenants(self) -> AsyncIterator[Connection]:
        """A transaction without a tenant: row-level security shows it no row of a tenant's
        tables."""
        with _our_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection

    @property
    def pool(self) -> asyncpg.Pool:
        """The pool, for libraries that want one."""
        return self._pool


@asynccontextmanager
async def open_database(
    settings: Settings, schema: str, *, largest: int
) -> AsyncIterator[Database]:
    """Opens a pool of at most `largest` connections; connects when first used."""
    if settings.postgres_url is None:
        raise LookupError("KARI_POSTGRES_URL is not set; `kari up` sets it for embedded stores")
    pool = await asyncpg.create_pool(
        settings.postgres_url.get_secret_value(),
        min_size=0,
        max_size=largest,
        timeout=5,
        command_timeout=10,
        server_settings={
            "role": f"kari_{schema}",
            "search_path": schema,
            "application_name": schema,
        },
    )
    try:
        yield Database(pool)
    finally:
        pool.terminate()


async def ping(database: Database) -> None:
    """Raises if Postgres does not answer."""
    await database.pool.fetchval("SELECT 1")


class _our_errors:  # noqa: N801  # reads as a phrase where it is used
    """Postgres' failures as our errors. Only work with the database belongs inside."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, AWAY) and not isinstance(error, asyncpg.DataError):
            raise Unavailable(
                Reason.REASON_STORE_UNAVAILABLE,
                "Postgres does not answer; try again",
                store="postgres",
                retry_after=1.0,
            ) from error
        if isinstance(error, UNSTORABLE):
            raise InvalidRequest(
                Reason.REASON_FIELD_INVALID, "a text holds the character U+0000"
            ) from error
