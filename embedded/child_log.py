"""What a child process prints, in a file of bounded size."""

import os
from pathlib import Path

MOST_BYTES = 4 * 1024 * 1024
TAIL_BYTES = 8 * 1024


class ChildLog:
    """`<folder>/<name>.log`, opened for appending; one older file is kept as `.log.1`.

    The size is looked at when a child starts, so a file holds at most 4 MiB of earlier runs.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.log"
        self._rotate()
        self.descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._start = os.fstat(self.descriptor).st_size

    def _rotate(self) -> None:
        if self.path.exists() and self.path.stat().st_size > MOST_BYTES:
            self.path.replace(self.path.with_suffix(".log.1"))

    def close(self) -> None:
        """Closes our descriptor; the child keeps its own."""
        os.close(self.descriptor)

    def tail(self, lines: int = 20) -> str:
        """The last lines that this run printed, without empty ones."""
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._start, end - TAIL_BYTES))
            text = file.read().decode(errors="replace")
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])
