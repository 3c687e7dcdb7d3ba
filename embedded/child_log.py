"""What a child process prints, in a file of bounded size."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MOST_BYTES = 16 * 1024 * 1024
TAIL_BYTES = 8 * 1024


@dataclass(frozen=True)
class LogLimit:
    """How large the log of a running child may grow, and how often that is looked at; between two
    looks it may be larger."""

    most: int = MOST_BYTES
    seconds: float = 5.0


class ChildLog:
    """`<folder>/<name>.log`, opened for appending; one older file is kept as `.log.1`.

    The size is looked at when a child starts, and whenever `bound` is called while it runs.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.log"
        self._rotate()
        self.descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._start = os.fstat(self.descriptor).st_size

    def _rotate(self) -> None:
        if self.path.exists() and self.path.stat().st_size > MOST_BYTES:
            self.path.replace(self._older)

    @property
    def _older(self) -> Path:
        return self.path.with_suffix(".log.1")

    def bound(self, most: int = MOST_BYTES) -> bool:
        """If the file has more than `most` bytes, its last `most` become the older file and it
        begins anew; whether that was so. The child keeps its descriptor: it appends, so what it
        prints next stands at the new beginning. Lines printed in between are lost."""
        with suppress(FileNotFoundError):
            if self.path.stat().st_size > most:
                # A disk that is full is the more reason to let the bytes go.
                with suppress(OSError):
                    self._keep_last(most)
                os.truncate(self.path, 0)
                self._start = 0
                return True
        return False

    def _keep_last(self, most: int) -> None:
        with self.path.open("rb") as file:
            file.seek(-most, os.SEEK_END)
            kept = file.read(most)
        descriptor = os.open(self._older, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as older:
            older.write(kept)

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
