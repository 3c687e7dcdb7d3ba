"""What to run as a child process."""

import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from embedded.account import Account

TETHER = Path(__file__).with_name("tether.py")


class Running(Protocol):
    """A process that was made; asyncio's `Process` is one."""

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its session and group."""

    @property
    def returncode(self) -> int | None:
        """Exit status, or the negative number of the signal that ended it; None while it runs."""

    async def wait(self) -> int | None:
        """Returns when it ended, with its exit status."""


@dataclass(frozen=True)
class Program:
    """What to run, and how to tell it to stop.

    `argv` starts with an absolute path and shows in process lists, so it holds no secret; `env` is
    the whole environment. `lock` is held while any process of the program lives; `stale` is removed
    once the lock is ours. `feed` or `wire` is its standard input. `answers` says whether it can be
    used yet, within a few seconds; without it a program counts as ready when it runs. `forked`
    makes its process in the place of executing `argv`, given the descriptor of its log.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    folder: Path | None = None
    account: Account | None = None
    lock: Path | None = None
    stale: Path | None = None
    feed: bytes = b""
    wire: socket.socket | None = None
    death_signal: signal.Signals = signal.SIGKILL
    stop_signal: signal.Signals = signal.SIGTERM
    answers: Callable[[], Awaitable[bool]] | None = None
    forked: Callable[[int], Awaitable[Running]] | None = None
    start_seconds: float = 120.0

    def tethered(self) -> tuple[str, ...]:
        """The command line that runs it through `tether.py`."""
        uid, gid = (self.account.uid, self.account.gid) if self.account else ("", "")
        settings = (os.getpid(), int(self.death_signal), self.lock or "", self.stale or "")
        tether = (sys.executable, "-I", "-S", TETHER, *settings, uid, gid)
        return (*map(str, tether), *self.argv)
