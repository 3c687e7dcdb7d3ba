"""Processes that hold stores, watched from outside; and waiting for what happens in them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

GONE_SECONDS = 40
HOLD_STORES = Path(__file__).with_name("hold_stores.py")


async def until(condition: Callable[[], object]) -> None:
    """Waits until `condition()` is true; the test's own time limit ends what never becomes so."""
    while True:
        if condition():
            return
        await asyncio.sleep(0.02)


def printed(log: Path, text: str, times: int = 1) -> Callable[[], bool]:
    """Whether a program has printed `text` so often."""
    return lambda: log.exists() and log.read_text().count(text) >= times


def survivors(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run after a generous wait."""
    deadline = time.monotonic() + GONE_SECONDS
    while (running := list(filter(runs, processes))) and time.monotonic() < deadline:
        time.sleep(0.02)
    return running


def runs(process: psutil.Process) -> bool:
    """Whether it is there. An orphan that ended is none, however long pid 1 takes to collect it."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def owners(processes: list[psutil.Process]) -> set[int]:
    """Users of those that run; Postgres' workers come and go."""
    found = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            found.add(process.uids().real)
    return found


@dataclass
class Holder:
    """A process that holds stores, and every process below it."""

    data: Path
    process: subprocess.Popen[str]
    urls: dict[str, str] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    family: list[psutil.Process] = field(default_factory=list)

    def await_stores(self) -> None:
        """Returns when the stores answer; fails with what the process said if it ended."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.words()
        told: dict[str, Any] = json.loads(line)
        self.urls, self.pids = told["urls"], told["pids"]
        self.remember()

    def remember(self) -> None:
        itself = psutil.Process(self.process.pid)
        self.family = [itself, *itself.children(recursive=True)]

    def kill_all(self) -> None:
        """SIGKILL to every process, the stores included."""
        self.remember()
        for process in reversed(self.family):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def words(self) -> str:
        assert self.process.stderr
        return self.process.stderr.read()

    def end(self, number: int) -> int:
        """Sends a signal and waits; the exit status."""
        self.remember()
        self.process.send_signal(number)
        return self.process.wait(GONE_SECONDS)

    def survivors(self) -> list[psutil.Process]:
        """Processes of the family that outlive it."""
        return survivors(self.family)

    def close(self) -> None:
        if self.process.poll() is None:
            self.end(9)
        self.process.communicate()
        for process in self.survivors():
            process.kill()


@contextmanager
def hangup(action: signal.Handlers) -> Iterator[None]:
    """What a process started inside does at SIGHUP: tests may themselves run below a `nohup`."""
    before = signal.signal(signal.SIGHUP, action)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def launch(
    data: Path,
    system: Path,
    *,
    python: str = sys.executable,
    at_hangup: signal.Handlers = signal.SIG_DFL,
    **options: Any,
) -> Holder:
    """Starts `hold_stores.py` on a data folder; `options` are those of `Popen`."""
    argv = [python, str(HOLD_STORES), str(data), str(system)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with hangup(at_hangup):
        return Holder(data, subprocess.Popen(argv, env=environment, **pipes, **options))


Hold = Callable[..., Holder]
"""`launch` with the test's system folder; what it started is ended with the test."""
