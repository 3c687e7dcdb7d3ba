"""Postgres as servers use it: one schema and one role a server, the tenant set in every
transaction, failures as our errors."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self, cast

import asyncpg

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest, Unavailable
from servers.runtime.settings import Settings

Connection = asyncpg.pool.PoolConnectionProxy

# What asyncpg raises in a transaction when the server stops, is full, is cut off or hangs. An
# InternalClientError is what a query meets between the server's farewell and its hanging up.
CUT_OFF = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DiskFullError,
    TimeoutError,
)

# What it raises besides when the server is away, starting or has no connection left.
AWAY = (*CUT_OFF, OSError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)

# What it says of U+0000, which protobuf strings may hold and Postgres' text may not.
UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


class _Connection(asyncpg.Connection):
    """A connection that needs no cleaning when it goes back to the pool, which would cost a round
    trip each time: what transactions set, they set for themselves alone, and of the tenant that
    single statements act for it knows which one that is."""

    _tenant_id: str | None = ""
    """The tenant of its session, empty if it has none; None while that is not certain."""

    async def act_for(self, tenant_id: str) -> None:
        """Makes this the tenant of the session: statements outside of transactions are bound by
        it. Free for who comes again."""
        if self._tenant_id == tenant_id:
            return
        self._tenant_id = None
        await self.execute(f"SET kari.tenant = {literal(tenant_id)}")
        self._tenant_id = tenant_id

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  # the base's
        """Rolls back what a cancelled transaction has left; asyncpg would do so as well, but log it
        as an error, and calls are cancelled every day. There is nothing else to clean: transactions
        are begun by statements, asyncpg's own would be remembered by the connection."""
        if self.is_in_transaction():
            async with asyncio.timeout(timeout):
                await self.execute("ROLLBACK")


class Database:
    """One server's schema, under its own role `kari_<schema>`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(self, tenant_id: str) -> AsyncIterator[Connection]:
        """A transaction that sees and writes rows of one tenant only; row-level security reads
        `kari.tenant`. Unavailable (retryable) if Postgres is away."""
        with _our_errors() as errors:
            async with self._pool.acquire() as connection:
                # One round trip for both: a turn has half a dozen transactions.
                await connection.execute(f"BEGIN; SET LOCAL kari.tenant = {literal(tenant_id)}")
                errors.away = CUT_OFF
                async with _ending(connection):
                    yield connection

    async def row(self, tenant_id: str, query: str, *arguments: object) -> asyncpg.Record | None:
        """The first row of one statement, which is a transaction by itself: a third of the round
        trips. Bound to the tenant and failing as `transaction` does."""
        async with self._alone(tenant_id) as connection:
            return await connection.fetchrow(query, *arguments)

    async def rows(self, tenant_id: str, query: str, *arguments: object) -> list[asyncpg.Record]:
        """All rows of one statement; see `row`."""
        async with self._alone(tenant_id) as connection:
            found: list[asyncpg.Record] = await connection.fetch(query, *arguments)
            return found

    async def value(self, tenant_id: str, query: str, *arguments: object) -> Any:
        """The first column of the first row of one statement; see `row`."""
        async with self._alone(tenant_id) as connection:
            return await connection.fetchval(query, *arguments)

    def across_tenants(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction without a tenant: row-level security shows it no row of a tenant's
        tables."""
        return self.transaction("")

    @asynccontextmanager
    async def _alone(self, tenant_id: str) -> AsyncIterator[Connection]:
        with _our_errors() as errors:
            async with self._pool.acquire() as connection:
                await _session(connection).act_for(tenant_id)
                errors.away = CUT_OFF
                yield connection

    @property
    def pool(self) -> asyncpg.Pool:
        """The pool, for libraries that want one, and tables that are no tenant's: its connections
        may act for the tenant before."""
        return self._pool


@asynccontextmanager
async def open_database(
    settings: Settings, schema: str, *, largest: int, options: Mapping[str, str] | None = None
) -> AsyncIterator[Database]:
    """Opens a pool of at most `largest` connections, with these `options` of Postgres for each;
    connects when first used."""
    if settings.postgres_url is None:
        raise LookupError("KARI_POSTGRES_URL is not set; `kari up` sets it for embedded stores")
    pool = await asyncpg.create_pool(
        settings.postgres_url.get_secret_value(),
        connection_class=_Connection,
        min_size=0,
        max_size=largest,
        timeout=5,
        command_timeout=10,
        server_settings={
            "role": f"kari_{schema}",
            "search_path": schema,
            "application_name": schema,
            # What `literal` relies on, whatever the database's own default is.
            "standard_conforming_strings": "on",
            **(options or {}),
        },
    )
    try:
        yield Database(pool)
    finally:
        pool.terminate()


async def ping(database: Database) -> None:
    """Raises if Postgres does not answer."""
    await database.pool.fetchval("SELECT 1")


@asynccontextmanager
async def _ending(connection: Connection) -> AsyncIterator[None]:
    """Commits what was begun, or rolls it back; after a cancellation the connection does that when
    it goes back. RuntimeError if Postgres rolled back instead, as it does without an error when one
    in the transaction was swallowed."""
    try:
        yield
    except Exception:
        if not connection.is_closed():
            await connection.execute("ROLLBACK")
        raise
    if await connection.execute("COMMIT") != "COMMIT":
        raise RuntimeError("an error in this transaction was swallowed: nothing was written")


def _session(connection: Connection) -> _Connection:
    """Our connection behind the pool's proxy."""
    return cast(_Connection, connection)


def literal(text: str) -> str:
    """A text as SQL writes it down, for statements that take no parameters; with standard strings,
    as our connections have them, a quote is all there is to escape. ValueError for U+0000."""
    if "\0" in text:
        raise ValueError("a text for Postgres holds the character U+0000")
    return "'" + text.replace("'", "''") + "'"


class _our_errors:  # noqa: N801  # reads as a phrase where it is used
    """Postgres' failures as our errors. Once connected an OSError is none of Postgres'."""

    def __init__(self) -> None:
        self.away: tuple[type[Exception], ...] = AWAY

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # A DataError, though an InterfaceError as that of a closed connection, is a defect of ours.
        if isinstance(error, self.away) and not isinstance(error, asyncpg.DataError):
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
