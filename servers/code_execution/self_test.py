"""Tries, when the server starts, to break out of each runner's jail. What does not hold is not
used."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from kari.code_execution.v1.code_execution_pb2 import Runner, RunOutcome
from servers.code_execution.program import Limits, Program, Result
from servers.code_execution.runner import JailedRunner
from servers.runtime.jail.errors import NoJail

BREAKOUT = Path(__file__).with_name("within") / "breakout.py"
SECONDS = 10.0
OUTPUT_BYTES = 10_000
NAMESPACES = ("user", "pid", "net", "mnt", "ipc", "uts")
SEEN = frozenset({"box", "dev", "etc", "lib", "lib64", "python", "tmp", "usr"})
MONTY_BREAKOUT = """
found = []
def tried(name, way):
    try:
        way()
        found.append(name)
    except Exception:
        pass
import os
tried('read /etc/passwd', lambda: open('/etc/passwd').read())
tried('list the root', lambda: os.listdir('/'))
tried('import sockets', lambda: __import__('socket'))
tried('reach the interpreter', lambda: ().__class__.__base__.__subclasses__())
found
"""
MONTY_MEMORY = """
found = []
try:
    [0] * (2 * memory // 8)
    found.append('take more memory than it may')
except MemoryError:
    pass
found
"""
"""By itself: Monty ends a program that takes too much, and with it what else it found."""


async def prove(runner: JailedRunner, limits: Limits, secret: Path) -> None:
    """Returns if the runner holds; NoJail, naming what does not, if it does not. `secret` is a
    folder that programs must not see."""
    await _prove_outside(runner)
    async with _listening() as (port, connections):
        inputs = {
            "port": port,
            "secret": str(secret),
            "processes": limits.processes,
            "memory": limits.memory_bytes,
        }
        own = Limits(SECONDS, limits.memory_bytes, OUTPUT_BYTES, limits.processes)
        for code, may_run_out in _attempts(runner.kind):
            result = await runner.lenient().run(Program(code, own, inputs))
            _require_held(result, may_run_out=may_run_out)
        # It is refused by the kernel before it would be accepted here.
        await asyncio.sleep(0)
    if connections:
        raise NoJail("the jail does not hold: a connection came out of it")


def _attempts(kind: Runner.ValueType) -> Sequence[tuple[str, bool]]:
    """Programs that try to break out, and whether they may end by running out of memory."""
    if kind == Runner.RUNNER_MONTY:
        return (MONTY_BREAKOUT, False), (MONTY_MEMORY, True)
    return ((BREAKOUT.read_text(), False),)


def _require_held(result: Result, *, may_run_out: bool) -> None:
    if may_run_out and result.outcome == RunOutcome.RUN_OUTCOME_OUT_OF_MEMORY:
        return
    if result.outcome != RunOutcome.RUN_OUTCOME_DONE:
        raise NoJail(
            f"the self-test did not come to its end: {result.explanation} {result.stderr[-500:]}"
        )
    if result.value_json != "[]":
        raise NoJail(f"the jail does not hold: a program could {result.value_json}")


async def _prove_outside(runner: JailedRunner) -> None:
    """Looks at a worker from outside, by what the kernel says of it."""
    worker = await runner.workers.take()
    try:
        first = worker.jailed.first
        if first is None:
            raise NoJail("the jail does not hold: bubblewrap made none")
        wrong = await asyncio.to_thread(_wrong_with, first)
    finally:
        await worker.close()
    if wrong:
        raise NoJail(f"the jail does not hold: {wrong}")


def _wrong_with(first: int) -> str:
    """What a jail lacks; empty if nothing. It is looked at from its first process' child, which is
    the worker."""
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    if not children:
        return "its worker is gone"
    status = _status(int(children[0]))
    if status.get("NoNewPrivs") != "1":
        return "its programs may gain privileges"
    if status.get("Seccomp") != "2":
        return "system calls are not filtered"
    if int(status.get("CapEff", "1"), 16) or int(status.get("CapPrm", "1"), 16):
        return "its programs have capabilities"
    if b"KARI_" in Path(f"/proc/{children[0]}/environ").read_bytes():
        return "settings are in its environment"
    for name in NAMESPACES:
        if os.readlink(f"/proc/{first}/ns/{name}") == os.readlink(f"/proc/self/ns/{name}"):
            return f"it shares the machine's {name} namespace"
    more = sorted(set(_root_of(first)) - SEEN)
    return f"its programs see {', '.join(more)}" if more else ""


def _status(pid: int) -> Mapping[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _root_of(pid: int) -> Sequence[str]:
    return os.listdir(f"/proc/{pid}/root")


@asynccontextmanager
async def _listening() -> AsyncIterator[tuple[int, list[object]]]:
    """A listener on loopback, and what connected to it."""
    connections = list[object]()

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], connections
    finally:
        server.close()
        await server.wait_closed()
