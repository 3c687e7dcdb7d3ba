"""Milvus Lite as a child process (`embedded.milvus_launcher`)."""

import asyncio
import os
import signal
import sys

from embedded.folder import DataFolder
from embedded.ports import LOOPBACK
from embedded.program import Program

HTTP2_SETTINGS_FRAME = 4
MEMTABLE_BYTES = 1024 * 1024
"""What is written last is copied for each search until it fills this and becomes a segment: 500
rows or so, which take 3 ms. (To Milvus Lite's own search each is a Python list: 20 ms.)"""

# One user and two cores: thread pools of its libraries would only cost memory.
FRUGAL = {
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class Milvus:
    """The embedded Milvus Lite of one data folder. Clients send `token` as their token."""

    name = "milvus"

    def __init__(self, folder: DataFolder, port: int) -> None:
        self._folder = folder
        self._port = port
        self.token = folder.secret("milvus")
        self.url = f"http://{LOOPBACK}:{port}"

    async def program(self) -> Program:
        """The launcher, with the token in a file and the import path of this process."""
        home = self._folder.subfolder(self.name)
        token = self._folder.secret_file("milvus")
        return Program(
            name=self.name,
            argv=(
                # -P: the current folder, which holds data, is no place to import from.
                *(sys.executable, "-P", "-m", "embedded.milvus_launcher"),
                *("--folder", str(home), "--port", str(self._port), "--token-file", str(token)),
            ),
            env={
                **FRUGAL,
                "MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES": str(MEMTABLE_BYTES),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            folder=home,
            lock=self._folder.lock_of(self.name),
            death_signal=signal.SIGTERM,
            answers=self._answers,
        )

    async def _answers(self) -> bool:
        # The launcher opens its port when all collections are loaded, and gRPC speaks first. This
        # needs no gRPC here: the process that supervises forks, and stays small.
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
        except OSError:
            return False
        try:
            async with asyncio.timeout(5):
                header = await reader.readexactly(9)
            return header[3] == HTTP2_SETTINGS_FRAME
        except (OSError, EOFError, TimeoutError):
            return False
        finally:
            writer.close()
