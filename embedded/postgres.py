"""PostgreSQL as a child process, for programs on this machine only."""

import signal
from pathlib import Path

from embedded.account import Account, postgres_account
from embedded.errors import StartError
from embedded.folder import DataFolder
from embedded.ports import LOOPBACK
from embedded.postgres_cluster import ENVIRONMENT, HERE, NAME, ClusterMaker
from embedded.postgres_program import readable_programs, wheel_programs
from embedded.program import Program
from embedded.progress import Report, announced

CONNECTIONS = 100

# Modest memory for a machine that does everything; fsync stays on.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "io_workers": "1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # A new cluster has no statistics: plans made without them are to be made anew soon.
    "autovacuum_naptime": "10s",
}


class Postgres:
    """The embedded PostgreSQL of one data folder. `url` is for the role and database `kari`."""

    name = NAME

    def __init__(
        self,
        folder: DataFolder,
        port: int,
        report: Report,
        system: Path,
        connections: int = CONNECTIONS,
    ) -> None:
        """`connections` is how many it allows."""
        self._folder = folder
        self._port = port
        self._report = report
        self._system = system
        self._connections = str(connections)
        self.url = f"postgresql://kari:{folder.secret(NAME)}@{LOOPBACK}:{port}/kari"

    async def program(self) -> Program:
        """Makes the cluster if need be; raises `StartError` if that fails or it is foreign."""
        account = postgres_account()
        programs = await self._programs(account)
        maker = ClusterMaker(self._folder, programs, account)
        if not maker.cluster.exists():
            with announced(self._report, "postgres: creating the database cluster ..."):
                await maker.make()
        maker.require_version()
        return Program(
            name=NAME,
            argv=(str(programs / "postgres"), "-D", HERE, *self._settings()),
            env=ENVIRONMENT,
            folder=maker.cluster,
            account=account,
            lock=self._folder.lock_of(NAME),
            stale=maker.cluster / "postmaster.pid",
            death_signal=signal.SIGINT,
            stop_signal=signal.SIGINT,
            answers=self._answers,
        )

    async def _programs(self, account: Account | None) -> Path:
        if account is None:
            return wheel_programs()
        return await readable_programs(self._system, self._report)

    def _settings(self) -> list[str]:
        settings = {
            **SETTINGS,
            "port": str(self._port),
            "max_connections": self._connections,
        }
        return [word for pair in settings.items() for word in ("-c", "=".join(pair))]

    async def _answers(self) -> bool:
        # Imported late: 17 MB that a Kari with a PostgreSQL of its own never needs here.
        import asyncpg

        try:
            connection = await asyncpg.connect(self.url, timeout=5)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
            return False
        except asyncpg.InvalidPasswordError as error:
            raise self._wrong_password() from error
        try:
            return await connection.fetchval("SELECT true") is True
        finally:
            await connection.close()

    def _wrong_password(self) -> StartError:
        return StartError(
            f"The cluster in {self._folder.path / NAME} does not take this folder's password.",
            f"Put the password it was made with into {self._folder.secret_file(NAME)}.",
        )
