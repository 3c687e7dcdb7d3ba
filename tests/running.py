"""A whole Kari as users run it: `kari up` in a process of its own."""

import asyncio
import random
import re
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from servers import topology
from servers.runtime.settings import child_environment

ROOT = Path(__file__).parents[1]
START_SECONDS = 180


@dataclass
class Kari:
    """A running Kari. `passwords` are those of the first start."""

    data: Path
    http_port: int
    grpc_port: int
    spread: bool
    settings: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    _process: Process | None = None
    _reading: asyncio.Task[None] | None = None

    @classmethod
    def at(cls, data: Path, *, spread: bool = False, **settings: str) -> Self:
        """One that is not started yet, on free ports."""
        ports = free_block(len(topology.SERVERS) + 1)
        return cls(data, ports, ports + 1, spread, settings)

    @property
    def http(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.http_port}"

    def address(self, server: str) -> str:
        """gRPC address of a server in this placement."""
        return f"127.0.0.1:{topology.port_of(server, self.grpc_port, spread=self.spread)}"

    def metrics_urls(self) -> list[str]:
        """Where the metrics of its processes are, each once."""
        shared, first = f"{self.http}/metrics", int(self.settings.get("KARI_METRICS_PORT", "0"))
        workers = int(self.settings.get("KARI_WORKERS", "1"))
        own = [node.port for node in topology.SERVERS] if self.spread else range(workers)
        urls = [f"http://127.0.0.1:{first + n}/metrics" for n in own]
        if self.spread:
            return [shared, *urls]
        return urls if workers > 1 else [shared]

    def server_settings(self) -> dict[str, str]:
        """The settings of its servers, the addresses of the stores among them."""
        environment = next(
            found for p in self.processes() if "KARI_MILVUS_TOKEN" in (found := p.environ())
        )
        return {name: value for name, value in environment.items() if name.startswith("KARI_")}

    def environment(self) -> dict[str, str]:
        """Environment under which `kari` commands find this one."""
        return child_environment(
            KARI_DATA=str(self.data),
            KARI_HTTP_PORT=str(self.http_port),
            KARI_GRPC_PORT=str(self.grpc_port),
            KARI_PLACEMENT="spread" if self.spread else "together",
            **self.settings,
        )

    async def start(self) -> None:
        """Returns at the line that says ready."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", "up"),
            cwd=ROOT,
            env=self.environment(),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
        )
        ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read(ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait(
            {waiting, self._reading}, timeout=START_SECONDS, return_when="FIRST_COMPLETED"
        )
        waiting.cancel()
        if not ready.is_set():
            story = self.story()
            await self.stop()
            raise AssertionError(story)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to stop as a service manager does, or with SIGINT as Ctrl-C; the exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(how)
        code = await asyncio.wait_for(self._process.wait(), 60)
        assert self._reading is not None
        await self._reading
        return code

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything under it."""
        assert self._process is not None
        root = psutil.Process(self._process.pid)
        return [root, *root.children(recursive=True)]

    def part(self, name: str) -> psutil.Process:
        """The process that serves one part of a spread mesh."""
        # The kernel keeps 15 bytes of a name.
        return next(p for p in self.processes() if p.name() == name[:15])

    async def kill_all(self) -> None:
        """SIGKILL for every process of the system, the supervisor first."""
        processes = self.processes()
        for process in processes:
            # With the supervisor everything under it dies by itself.
            with suppress(psutil.NoSuchProcess):
                process.kill()
        assert self._process is not None
        await self._process.wait()
        await asyncio.to_thread(psutil.wait_procs, processes, 30)
        assert self._reading is not None
        await self._reading

    async def command(self, *words: str) -> tuple[int, str]:
        """Runs a `kari` command; its exit code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", *words),
            cwd=ROOT,
            env=self.environment(),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, output.decode()

    def log(self, name: str) -> str:
        """What a process of the mesh logged."""
        return (self.data / "logs" / f"{name}.log").read_text(errors="replace")

    def story(self) -> str:
        """What was printed, and the ends of the logs: for a test that failed."""
        logs = sorted((self.data / "logs").glob("*.log")) if self.data.exists() else []
        ends = [f"--- {p.name}\n{p.read_text(errors='replace')[-2000:]}" for p in logs]
        return "\n".join([*self.printed, *ends])

    async def _read(self, ready: asyncio.Event) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            line = raw.decode().rstrip()
            self.printed.append(line)
            if found := re.search(r"^\s*(demo|admin)\s+(\S+)$", line):
                self.passwords[found[1]] = found[2]
            if line.startswith("ready"):
                ready.set()


# Below the ports that Linux gives out by itself, so that nobody takes one between the look and the
# use.
LOWEST, HIGHEST = 15_000, 32_000


def free_block(size: int) -> int:
    """The first of so many free neighbouring ports."""
    while True:
        first = random.randrange(LOWEST, HIGHEST - size)
        if all(_is_free(first + n) for n in range(size)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
