"""The accounts of the very first start: one tenant, a user and an administrator.

Their passwords are made here and kept nowhere but, until they were shown once, in a file of mode
0600 that `kari up` prints and deletes. It is written before the accounts are committed: whoever can
sign in could read it, and a start that dies in between is followed by another first start.
"""

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path

import structlog

from servers.identity.accounts import Account
from servers.identity.clock import Clock, utc_now
from servers.identity.passwords import Passwords
from servers.identity.store import queries, row_of
from servers.runtime.call import ADMIN
from servers.runtime.ids import new_id
from servers.runtime.postgres import Connection, Database
from servers.runtime.private_files import replace
from servers.runtime.resources import Resource

TENANT = "demo"
ROLES: Mapping[str, tuple[str, ...]] = {
    "demo": (
        "chat.user",
        "chat.tools.search",
        "chat.tools.code",
        "chat.mode.switch",
        "chat.config.edit",
        "chat.persona.change",
    ),
    "admin": (ADMIN,),
}

FILE = "first-accounts"
"""In the data folder; text for whoever starts Kari."""

log = structlog.get_logger("kari.identity")


class FirstAccounts:
    """Makes the first accounts if there is no tenant yet."""

    def __init__(
        self,
        database: Resource[Database],
        passwords: Passwords,
        folder: Path,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._file = folder / FILE
        self._clock = clock

    async def ensure(self) -> None:
        """Unavailable if Postgres is away. Of two processes that do so at once one makes them."""
        database, tenant_id = await self._database.get(), new_id("tenant")
        async with database.transaction(tenant_id) as connection:
            await connection.execute(queries.lock_first_accounts)
            if not await connection.fetchval(queries.any_tenant):
                await self._make(connection, tenant_id)

    async def _make(self, connection: Connection, tenant_id: str) -> None:
        now = self._clock()
        chosen = {name: new_password() for name in ROLES}
        await connection.execute(queries.insert_tenant, tenant_id, TENANT, now)
        for name, password in chosen.items():
            hashed = await self._passwords.hash(password)
            account = Account(new_id("user"), tenant_id, name, ROLES[name], now, hashed)
            await connection.execute(queries.insert_user, *row_of(account), "")
        await asyncio.to_thread(replace, self._file, announcement(chosen).encode())
        log.info("made the first accounts", names=list(chosen), file=str(self._file))


def announcement(passwords: Mapping[str, str]) -> str:
    """What `kari up` shows once."""
    lines = (f"  {name:<8}{password}\n" for name, password in passwords.items())
    return "first accounts, shown only this once (name, password):\n" + "".join(lines)


def new_password() -> str:
    """A password that can be read out and typed, such as `tuba-kine-zoru-velo`: 51 bits."""
    return "-".join("".join(_syllable() for _ in range(2)) for _ in range(4))


def _syllable() -> str:
    return secrets.choice("bdfghjklmnprstvwz") + secrets.choice("aeiou")
