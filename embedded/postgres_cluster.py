"""Makes a PostgreSQL cluster: complete, or not there."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.account import Account
from embedded.child import run_to_end
from embedded.errors import StartError
from embedded.folder import DataFolder
from embedded.postgres_program import MAJOR, VERSION
from embedded.program import Program
from servers.runtime import private_files

NAME = "postgres"
ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
HERE = "/proc/self/cwd"
"""The cluster's folder, as a child that was started in it calls it: this needs no right on the
folders above. As root the child is `nobody`, who cannot enter the data folder by name."""

# Kari's own role is no superuser, or row-level security would not bind it.
FIRST_SQL = """\
CREATE ROLE kari LOGIN CREATEROLE PASSWORD '{password}';

CREATE DATABASE kari OWNER kari;

"""


class ClusterMaker:
    """Makes `<data>/postgres/cluster` with the programs in the folder `programs`."""

    def __init__(self, folder: DataFolder, programs: Path, account: Account | None) -> None:
        self._folder = folder
        self._programs = programs
        self._account = account
        self._home = folder.subfolder(NAME)
        self.cluster = self._home / "cluster"
        give(self._home, account)

    async def make(self) -> None:
        """Works under another name and renames at the end, so an interrupted run leaves nothing."""
        for abandoned in self._home.glob("draft-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        draft = self._home / f"draft-{secrets.token_hex(4)}"
        draft.mkdir(mode=0o700)
        give(draft, self._account)
        with self._password_file():
            await self._run(draft, *_initdb())
        sql = FIRST_SQL.format(password=self._folder.secret("postgres"))
        await self._run(draft, *_single_user(), sql=sql)
        draft.rename(self.cluster)
        private_files.sync_folder(self._home)

    def require_version(self) -> None:
        """Raises `StartError` for a cluster that these programs cannot read."""
        found = (self.cluster / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise StartError(
                f"The cluster in {self._home} is PostgreSQL {found}; this Kari brings {VERSION}.",
                f"Start the Kari that wrote it, or run a PostgreSQL {found} on a copy of it and "
                "set KARI_POSTGRES_URL, or set KARI_DATA to another folder.",
            )

    async def _run(self, draft: Path, program: str, *arguments: str, sql: str = "") -> None:
        argv = (str(self._programs / program), *arguments)
        feed = sql.encode()
        work = Program(NAME, argv, ENVIRONMENT, folder=draft, account=self._account, feed=feed)
        await run_to_end(work, self._folder.logs)

    @contextmanager
    def _password_file(self) -> Iterator[None]:
        path = self._home / "password"
        private_files.replace(path, self._folder.secret("postgres_admin").encode())
        give(path, self._account)
        try:
            yield
        finally:
            path.unlink()


def give(path: Path, account: Account | None) -> None:
    """Makes `account` the owner; a link planted in its place is not followed."""
    if account:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _initdb() -> tuple[str, ...]:
    return (
        *("initdb", "-D", HERE, "-U", "postgres"),
        *("--auth=scram-sha-256", f"--pwfile={HERE}/../password"),
        *("--data-checksums", "--locale=C.UTF-8", "--encoding=UTF8"),
    )


def _single_user() -> tuple[str, ...]:
    # Without a server nobody can connect before the roles are as they should be.
    return (
        *("postgres", "--single", "-j", "-D", HERE),
        *("-c", "exit_on_error=true", "-c", "log_checkpoints=off", "postgres"),
    )
