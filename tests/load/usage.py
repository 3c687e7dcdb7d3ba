"""CPU and memory of the processes under load, by what they are."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

import psutil

from tests.running import Kari

FORKING = "embedded.forking"
"""Of the servers of a spread mesh, and of what they are forked from."""
STORES = {"postgres": "postgres", "valkey": "valkey", "milvus": "milvus"}


def part_of(words: Iterable[str]) -> str:
    """What a process of Kari is, by its command line."""
    line = " ".join(words)
    if " servers " in f" {line} " or FORKING in line:
        return "kari"
    return next((part for word, part in STORES.items() if word in line), "supervisor")


class Watched:
    """The processes of a run: those of Kari, the provider's and the clients'."""

    def __init__(self, kari: Kari | None, others: Mapping[str, int]) -> None:
        self._kari = kari
        self._others = others

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU so far, by part."""
        found: dict[str, float] = {}
        for part, process in self._processes():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                found[part] = found.get(part, 0.0) + times.user + times.system
        return found

    def memory(self) -> dict[str, float]:
        """Megabytes (PSS), by part."""
        found: dict[str, float] = {}
        for part, process in self._processes():
            with suppress(psutil.NoSuchProcess):
                found[part] = found.get(part, 0.0) + process.memory_full_info().pss / 1e6
        return found

    def _processes(self) -> Iterable[tuple[str, psutil.Process]]:
        for part, pid in self._others.items():
            yield part, psutil.Process(pid)
        for process in self._kari.processes() if self._kari else ():
            with suppress(psutil.NoSuchProcess):
                yield part_of(process.cmdline()), process


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was added, by part."""
    return {part: after[part] - before.get(part, 0.0) for part in after}
