"""The processes of the mesh, in the order in which they start."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from embedded.fork_server import ForkServer
from embedded.ports import LOOPBACK
from embedded.program import Program
from servers import topology
from servers.runtime.settings import Placement, Settings

HOME = Path(__file__).parent.parent


def fork_server(environment: Mapping[str, str], logs: Path) -> ForkServer:
    """What the processes of a spread mesh are forked from. They share most of what they import,
    which takes a second each otherwise, and 40 MB."""
    argv = (sys.executable, "-m", "embedded.forking", "servers.__main__:main")
    return ForkServer(Program("fork_server", argv, environment, folder=HOME), logs)


def mesh_waves(
    settings: Settings,
    environment: Mapping[str, str],
    worker_ports: Sequence[int] = (),
    forks: ForkServer | None = None,
) -> list[list[Program]]:
    """Processes by wave: a wave starts when the one before it answers, and stops before it. When
    spread, callees come before their callers, so that no turn loses a server it still needs. Each
    of several workers has a port of its own beside the shared ones, which says when it is ready.
    Those of a spread mesh are forked if there is what `forks` them, and executed otherwise."""
    names = [*(node.name for node in topology.SERVERS), topology.GATEWAY.name]
    if settings.several_workers:
        ports = enumerate(worker_ports, 1)
        return [[_worker(number, port, names, environment) for number, port in ports]]
    if settings.placement is Placement.TOGETHER:
        return [[_program("kari", names, environment, _gateway_answers(settings))]]
    waves = [
        [_program(name, [name], environment, _server_answers(settings, name)) for name in wave]
        for wave in topology.waves()
    ]
    gateway = topology.GATEWAY.name
    waves.append([_program(gateway, [gateway], environment, _gateway_answers(settings))])
    if forks is None:
        return waves
    return [
        [replace(one, forked=partial(forks.fork, [one.name])) for one in wave] for wave in waves
    ]


def _worker(
    number: int, port: int, names: Sequence[str], environment: Mapping[str, str]
) -> Program:
    own = {"KARI_WORKER": str(number), "KARI_WORKER_PORT": str(port)}

    async def answers() -> bool:
        return await _is_ready(LOOPBACK, port)

    return _program(f"kari-{number}", names, {**environment, **own}, answers)


def _program(
    name: str,
    parts: Sequence[str],
    environment: Mapping[str, str],
    answers: Callable[[], Awaitable[bool]],
) -> Program:
    return Program(
        name=name,
        argv=(sys.executable, "-m", "servers", *parts),
        env=environment,
        folder=HOME,
        answers=answers,
    )


def _server_answers(settings: Settings, name: str) -> Callable[[], Awaitable[bool]]:
    port = settings.grpc_port + topology.NODES[name].port

    async def answers() -> bool:
        return await _connects(settings.grpc_host, port)

    return answers


def _gateway_answers(settings: Settings) -> Callable[[], Awaitable[bool]]:
    async def answers() -> bool:
        return await _is_ready(settings.http_host, settings.http_port)

    return answers


async def _connects(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def _is_ready(host: str, port: int) -> bool:
    """Whether `/readyz` answers 200."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(2):
            status = await reader.readline()
    except (OSError, TimeoutError):
        return False
    writer.close()
    return b" 200 " in status
