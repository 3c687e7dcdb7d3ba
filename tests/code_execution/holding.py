"""Runs hostile programs and looks at what came of them, from outside of the jail."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from kari.code_execution.v1.code_execution_pb2 import Runner, RunOutcome
from servers.code_execution.jails import MAKERS, Machine
from servers.code_execution.policy import Policy
from servers.code_execution.program import Limits, Program, Result
from servers.code_execution.runner import JailedRunner
from servers.runtime.jail.starting import Starter
from tests.code_execution.hostile import PROGRAMS, Hostile

MONTY, CPYTHON = Runner.RUNNER_MONTY, Runner.RUNNER_CPYTHON
LIMITS = Limits(10.0, 128_000_000, 20_000, 8)
AT_ONCE = 4
"""Programs that run together: many of them do nothing but wait for their end."""

Case: TypeAlias = tuple[Runner.ValueType, Hostile]
CASES: Sequence[Case] = [
    (kind, each)
    for each in PROGRAMS
    for kind in (CPYTHON, MONTY)
    if kind == CPYTHON or each.monty is not None
]


@dataclass
class Prison:
    """Both runners without a policy of modules, a listener and a canary."""

    runners: dict[Runner.ValueType, JailedRunner]
    canary: Path
    port: int = 0
    connections: list[object] = field(default_factory=list)

    async def hold(self, kind: Runner.ValueType, hostile: Hostile) -> list[str]:
        """Runs a program; what happened that must not."""
        code = hostile.code.replace("PORT", str(self.port)).replace("CANARY", str(self.canary))
        limits = Limits(hostile.seconds, *list(vars(LIMITS).values())[1:])
        result = await self.runners[kind].run(Program(code, limits))
        ended = hostile.ended if kind == CPYTHON else hostile.monty
        assert ended is not None
        return [f"{hostile.name}: {wrong}" for wrong in self._wrong(result, ended, limits)]

    def holding(self, cases: Iterable[Case]) -> "Mapping[Case, asyncio.Task[list[str]]]":
        """Begins to run programs, some at once and in this order; what happened that must not, of
        each."""
        free = asyncio.Semaphore(AT_ONCE)

        async def hold(case: Case) -> list[str]:
            async with free:
                return await self.hold(*case)

        return {case: asyncio.create_task(hold(case)) for case in cases}

    def _wrong(
        self, result: Result, ended: tuple[RunOutcome.ValueType, ...], limits: Limits
    ) -> list[str]:
        wrong = []
        if result.outcome not in ended:
            wrong.append(f"{RunOutcome.Name(result.outcome)} {result!r}"[:1500])
        if result.value_json == "true":
            wrong.append("it says that it happened")
        if self.connections:
            wrong.append(f"a connection came: {self.connections}")
        if self.canary.read_text() != "sings" or Path("/kari-was-here").exists():
            wrong.append("it wrote outside")
        if len(result.stdout.encode()) + len(result.stderr.encode()) > 3 * limits.output_bytes:
            wrong.append("it printed more than it may")
        for file in result.files:
            if b"sings" in file.content or len(file.content) > 2_000_000:
                wrong.append(f"file {file.name!r} came out")
        return wrong


@asynccontextmanager
async def prison(machine: Machine, folder: Path, warm: int = 2) -> AsyncIterator[Prison]:
    """A prison that is open for as long as the block."""
    canary = folder / "canary"
    canary.write_text("sings")
    starter, policy = Starter(), Policy((MONTY, CPYTHON), LIMITS, modules=None)
    runners = {kind: MAKERS[kind](machine, starter, policy, warm) for kind in policy.runners}
    here = Prison(runners, canary)

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.connections.append("tcp")
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    here.port = server.sockets[0].getsockname()[1]
    udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(here), ("127.0.0.1", here.port)
    )
    abstract = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    abstract.bind(f"\0kari-{here.port}")
    loops = [asyncio.create_task(runner.workers.run()) for runner in runners.values()]
    try:
        yield here
        with suppress(BlockingIOError):
            here.connections.append(abstract.recv(10))
        assert here.connections == []
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        for runner in runners.values():
            await runner.workers.close()
        starter.close()
        udp.close()
        abstract.close()
        server.close()
        await server.wait_closed()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, here: Prison) -> None:
        self._here = here

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._here.connections.append("udp")


def children() -> set[int]:
    """Processes that this one started and that are still there."""
    found = set[int]()
    for task in os.listdir("/proc/self/task"):
        with suppress(OSError):
            found |= set(map(int, Path(f"/proc/self/task/{task}/children").read_text().split()))
    return found
