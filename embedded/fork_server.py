"""Programs that are forked off one process, which has imported what they share (`forking`)."""

import asyncio
import json
import os
import signal
import socket
from collections import deque
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from embedded.child import Child
from embedded.errors import StartError
from embedded.program import Program

MOST_BYTES = 4096
STOP_SECONDS = 5.0


class Forked:
    """A process that was forked; as much of asyncio's `Process` as a `Child` needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()

    def end(self, status: int) -> None:
        """Notes that it ended."""
        self.returncode = status
        self._ended.set()

    async def wait(self) -> int | None:
        """Its exit status, once it ended; the negative number of a signal that killed it."""
        await self._ended.wait()
        return self.returncode


class ForkServer:
    """An async context manager. The process starts with the first program; when it dies all that it
    forked die with it, and the next program starts another."""

    def __init__(self, program: Program, logs: Path) -> None:
        """`program` runs `embedded.forking`; what it forks has its environment and folder."""
        self._program = program
        self._logs = logs
        self._child: Child | None = None
        self._wire: socket.socket | None = None
        self._starting = asyncio.Lock()
        self._asked: deque[asyncio.Future[Forked]] = deque()
        self._living: dict[int, Forked] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._lose()
        if self._child is not None:
            await self._child.stop(STOP_SECONDS)

    async def fork(self, words: list[str], log: int) -> Forked:
        """A process that runs with these words, the first of which is its name, and writes to this
        descriptor. Raises `StartError` if there is none to be had."""
        async with self._starting:
            wire = self._wire or await self._start()
        asked = asyncio.get_running_loop().create_future()
        self._asked.append(asked)
        try:
            socket.send_fds(wire, [json.dumps(words).encode()], [log])
        except OSError:  # it is gone, and nobody has noticed yet
            self._lose()
        forked: Forked = await asked
        return forked

    async def _start(self) -> socket.socket:
        """Starts the process, the one before having ended."""
        if self._child is not None:
            await self._child.stop(0)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._child = await Child.start(replace(self._program, wire=theirs), self._logs)
        ours.setblocking(False)
        asyncio.get_running_loop().add_reader(ours, self._hear, ours)
        self._wire = ours
        return ours

    def _hear(self, wire: socket.socket) -> None:
        try:
            said = wire.recv(MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said:
            self._take(json.loads(said))
        else:
            self._lose()

    def _take(self, said: dict[str, object]) -> None:
        match said:
            case {"pid": int(pid), "status": int(status)}:
                self._living.pop(pid).end(status)
            case {"pid": int(pid)}:
                forked = self._living[pid] = Forked(pid)
                self._give(forked)
            case _:
                self._refuse(str(said.get("error")))

    def _give(self, forked: Forked) -> None:
        asked = self._asked.popleft()
        if not asked.done():
            asked.set_result(forked)
            return
        # Who asked was cancelled: nobody would ever stop it.
        with suppress(ProcessLookupError):
            os.kill(forked.pid, signal.SIGKILL)

    def _refuse(self, why: str) -> None:
        asked = self._asked.popleft()
        if asked.done() or self._child is None:
            return
        log = self._child.log
        asked.set_exception(
            StartError(
                f"No process can be forked: {why}", f"Its log says more: {log.path}", log.tail()
            )
        )

    def _lose(self) -> None:
        """The process is gone or is to go. With it the kernel ends what it forked."""
        if self._wire is not None:
            asyncio.get_running_loop().remove_reader(self._wire)
            self._wire.close()
            self._wire = None
        while self._asked:
            self._refuse(f"{self._program.name} ended")
        for forked in self._living.values():
            forked.end(-signal.SIGKILL)
        self._living.clear()
