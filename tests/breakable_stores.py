"""Stores that a test kills, stops and starts as it likes. Nobody else uses them, nothing restarts
them by itself."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Self

import psutil

from cli.migrate import migrate
from embedded.child import Child
from embedded.folder import DataFolder
from embedded.milvus import Milvus
from embedded.ports import ReservedPort
from embedded.postgres import Postgres
from embedded.postgres_program import SYSTEM_FOLDER
from embedded.valkey import Valkey
from servers.runtime.settings import Settings

STOP_SECONDS = 25.0
ALL = ("postgres", "redis", "milvus")


def _say(_line: str) -> None:
    """Nobody reads along."""


class BreakableStores:
    """PostgreSQL with the schema, Valkey and Milvus Lite by name, or only some of them. An async
    context manager."""

    def __init__(self, path: Path, only: Sequence[str] = ALL) -> None:
        self._path = path
        self._only = only
        self._stack = AsyncExitStack()
        self._children: dict[str, Child] = {}

    async def __aenter__(self) -> Self:
        self._folder = self._stack.enter_context(DataFolder(self._path / "stores"))
        ports = [self._port() for _ in range(3)]
        self.postgres = Postgres(self._folder, ports[0], _say, SYSTEM_FOLDER)
        self.redis = Valkey(self._folder, ports[1])
        self.milvus = Milvus(self._folder, ports[2])
        await asyncio.gather(*map(self._first_start, self._only))
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in self._children.values():
            os.killpg(child.pid, signal.SIGCONT)
            await child.stop(STOP_SECONDS)
        await self._stack.aclose()

    def settings(self) -> Settings:
        """Settings that name these stores."""
        return Settings(
            data=self._path / "data",
            postgres_url=self.postgres.url,
            redis_url=self.redis.url,
            milvus_url=self.milvus.url,
            milvus_token=self.milvus.token,
        )

    async def _first_start(self, name: str) -> None:
        await self.start(name)
        if name == "postgres":
            await migrate(self.postgres.url, _say)

    async def start(self, name: str) -> None:
        """Returns when the store answers, on the same port and folder as ever."""
        program = await getattr(self, name).program()
        child = await Child.start(program, self._folder.logs)
        await child.ready()
        self._children[name] = child

    async def kill(self, name: str) -> None:
        """As when the power fails: no store has time to say goodbye."""
        child = self._children.pop(name)
        # Postgres' backends are sessions of their own, and answer for a moment without their head.
        processes = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        await child.ended()
        await asyncio.to_thread(psutil.wait_procs, processes[1:], 10)

    def freeze(self, name: str) -> None:
        """It keeps its connections and says nothing any more."""
        os.killpg(self._children[name].pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """It goes on where it was."""
        os.killpg(self._children[name].pid, signal.SIGCONT)

    def _port(self) -> int:
        port = ReservedPort()
        self._stack.callback(port.close)
        return port.number
