"""`kari up`: the stores, the schema, the mesh, the gateway; in this order, and back."""

import asyncio
import errno
import sys
from contextlib import AsyncExitStack, closing
from pathlib import Path

from cli.migrate import migrate
from cli.programs import fork_server, mesh_waves
from embedded.errors import StartError
from embedded.folder import DataFolder
from embedded.ports import ReservedPort, require_free_port
from embedded.postgres import CONNECTIONS
from embedded.progress import announced
from embedded.signals import stopped_by_signals
from embedded.stores import EmbeddedStores, missing_stores
from embedded.supervisor import Supervisor
from servers import topology
from servers.runtime.keys import ensure_keys
from servers.runtime.settings import (
    Placement,
    Settings,
    child_environment,
    read_settings,
    unknown_variables,
)

FIRST_ACCOUNTS = "first-accounts"

WORKER_CONNECTIONS = 25
"""To Postgres: what the pools of a worker can hold together, and some more."""


def run(*, spread: bool) -> int:
    """Runs until a signal; gives the exit code."""
    settings = read_settings(placement=Placement.SPREAD) if spread else read_settings()
    for name in unknown_variables():
        say(f"{name} is no setting; docs/settings.md lists them")
    try:
        with DataFolder(settings.data) as folder:
            if folder.nearly_full:
                say(folder.nearly_full)
            return asyncio.run(_up(settings, folder))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        if error.detail:
            sys.stderr.write(f"---\n{error.detail}\n")
        return 1


async def _up(settings: Settings, folder: DataFolder) -> int:
    with stopped_by_signals():
        _require_ports(settings)
        ensure_keys(settings)
        async with AsyncExitStack() as stack:
            await _start(settings, folder, stack)
            _say_first_accounts(folder.path / FIRST_ACCOUNTS)
            page = f"http://{settings.http_host}:{settings.http_port}"
            say(f"ready  {page}  grpc {settings.grpc_host}:{settings.grpc_port}")
            try:
                await asyncio.Event().wait()
            finally:
                say("stopping ...")
    return 0


async def _start(settings: Settings, folder: DataFolder, stack: AsyncExitStack) -> None:
    connections = max(CONNECTIONS, settings.workers * WORKER_CONNECTIONS)
    stores = EmbeddedStores(folder, missing_stores(settings), say, connections=connections)
    await stack.enter_async_context(stores)
    url = settings.postgres_url.get_secret_value() if settings.postgres_url else stores.postgres_url
    with announced(say, "postgres: bringing the schema up to date ..."):
        await migrate(url or "", say)
    environment = child_environment(
        **stores.environment(), KARI_PLACEMENT=settings.placement, KARI_DATA=str(folder.path)
    )
    with announced(say, "mesh: starting ..."):
        ports = _worker_ports(settings, stack)
        forks = await stack.enter_async_context(fork_server(environment, folder.logs))
        for wave in mesh_waves(settings, environment, ports, forks):
            supervisor = Supervisor(folder.logs, say, stop_seconds=settings.drain_seconds + 5)
            await stack.enter_async_context(supervisor)
            await supervisor.start_all(wave)


def _worker_ports(settings: Settings, stack: AsyncExitStack) -> list[int]:
    """A free port for each of several workers, until the stack ends."""
    count = settings.workers if settings.several_workers else 0
    return [stack.enter_context(closing(ReservedPort())).number for _ in range(count)]


def _require_ports(settings: Settings) -> None:
    require_free_port(settings.http_host, settings.http_port, "KARI_HTTP_PORT")
    spread = settings.placement is Placement.SPREAD
    for node in topology.SERVERS if spread else topology.SERVERS[:1]:
        port = topology.port_of(node.name, settings.grpc_port, spread=spread)
        require_free_port(settings.grpc_host, port, "KARI_GRPC_PORT")


def _say_first_accounts(file: Path) -> None:
    """The generated passwords, once: they are kept nowhere in the clear."""
    if file.exists():
        say(file.read_text().rstrip())
        file.unlink()


def say(line: str) -> None:
    """One line for the person in front of it, at once even into a pipe. A full disk behind it does
    not stop Kari."""
    try:
        print(line, flush=True)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
