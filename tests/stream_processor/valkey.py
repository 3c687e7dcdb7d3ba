"""A Valkey of a test's own, which can be killed, started again and stopped for a while."""

import os
import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from embedded.valkey import wheel_server


class TestValkey:
    """One process on one port; what was written survives a kill."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Returns when it answers."""
        options = ("--bind", "127.0.0.1", "--dir", str(self._folder), "--appendonly", "yes")
        argv = (str(wheel_server()), "--port", str(self._port), "--save", "", *options)
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline, "valkey does not start"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def lose_everything(self) -> None:
        with closing(self.client()) as client:
            client.flushall()

    def client(self) -> "Redis":
        return Redis.from_url(self.url)

    def _answers(self) -> bool:
        with closing(self.client()) as client:
            try:
                return bool(client.ping())
            except (RedisError, OSError):
                return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
