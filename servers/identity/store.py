"""Tenants, users and sessions in Postgres."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg

from servers.identity.accounts import Account
from servers.identity.rotation import Presented, Verdict, digest, judge
from servers.runtime.postgres import Database
from servers.runtime.queries import Queries
from servers.runtime.resources import Resource

queries = Queries(Path(__file__).with_name("queries.sql"))


class Users:
    """People who may sign in, each in a tenant."""

    def __init__(self, database: Resource[Database]) -> None:
        self._database = database

    async def tenant_id(self, tenant: str) -> str | None:
        """Id of the tenant of a name; None if there is none."""
        async with (await self._database.get()).across_tenants() as connection:
            found: str | None = await connection.fetchval(queries.tenant_by_name, tenant)
            return found

    async def by_name(self, tenant_id: str, name: str) -> Account | None:
        """The account of a name; None if there is none."""
        row = await (await self._database.get()).row(tenant_id, queries.user_by_name, name)
        return None if row is None else _account(row)

    async def after(self, tenant_id: str, name: str, limit: int) -> Sequence[Account]:
        """At most `limit` accounts whose names come after `name`, by name."""
        database = await self._database.get()
        rows = await database.rows(tenant_id, queries.users_after, name, limit)
        return [_account(row) for row in rows]

    async def add(self, account: Account, request_id: str = "") -> Account | None:
        """Keeps a new account. Gives the one that the tenant has then for this request, which a
        repeated request made before; None if the name is taken."""
        async with (await self._database.get()).transaction(account.tenant_id) as connection:
            if await connection.fetchval(queries.insert_user, *row_of(account), request_id):
                return account
            row = await connection.fetchrow(queries.user_by_request, request_id)
            return None if row is None else _account(row)

    async def set_roles(self, tenant_id: str, user_id: str, roles: Sequence[str]) -> Account | None:
        """Replaces roles; gives the account as it is then, None if there is none."""
        row = await (await self._database.get()).row(tenant_id, queries.set_roles, user_id, roles)
        return None if row is None else _account(row)

    async def renew_password_hash(self, account: Account, renewed: str) -> None:
        """Replaces the hash of an unchanged password."""
        database = await self._database.get()
        await database.row(
            account.tenant_id,
            queries.renew_password_hash,
            account.id,
            account.password_hash,
            renewed,
        )


class Sessions:
    """Sessions and the hashes of their refresh tokens."""

    def __init__(self, database: Resource[Database]) -> None:
        self._database = database

    async def open(
        self, session_id: str, account: Account, token: str, now: datetime, until: datetime
    ) -> None:
        """Keeps a new session and its first refresh token; forgets expired ones of the user."""
        async with (await self._database.get()).transaction(account.tenant_id) as connection:
            await connection.execute(queries.delete_expired_sessions, account.id, now)
            await connection.execute(queries.insert_session, session_id, account.id, now, until)
            await connection.execute(queries.insert_refresh_token, digest(token), session_id)

    async def exchange(
        self, tenant_id: str, token: str, successor: str, now: datetime, until: datetime
    ) -> tuple[Verdict, str, Account] | None:
        """Judges a refresh token and does what follows: keeps its successor, or ends the session.
        Gives the verdict, the session and its user; None if nobody was ever given the token."""
        async with (await self._database.get()).transaction(tenant_id) as connection:
            row = await connection.fetchrow(queries.presented_token, digest(token))
            if row is None:
                return None
            presented = Presented(**row)
            verdict = judge(presented, now)
            session_id = presented.session_id
            if verdict is Verdict.ROTATE:
                await connection.execute(queries.rotate_session, session_id, now, until)
                await connection.execute(queries.delete_expired_refresh_tokens, session_id, now)
            if verdict in (Verdict.ROTATE, Verdict.JOIN):
                await connection.execute(
                    queries.insert_refresh_token, digest(successor), session_id
                )
            if verdict is Verdict.REUSED:
                await connection.execute(queries.end_session, session_id, now)
            user = await connection.fetchrow(queries.user_of_session, session_id)
            return verdict, session_id, _account(user)

    async def end(self, tenant_id: str, token: str, now: datetime) -> str | None:
        """Ends the session of a token; gives its id, None if there was nothing to end."""
        database = await self._database.get()
        ended: str | None = await database.value(
            tenant_id, queries.end_session_of_token, digest(token), now
        )
        return ended


def row_of(account: Account) -> tuple[object, ...]:
    """An account as `insert_user` takes it."""
    return (
        account.id,
        account.tenant_id,
        account.name,
        account.roles,
        account.created_at,
        account.password_hash,
    )


def _account(row: asyncpg.Record | None) -> Account:
    if row is None:
        raise LookupError("a session without its user, which a foreign key forbids")
    return Account(**{**row, "roles": tuple(row["roles"])})
