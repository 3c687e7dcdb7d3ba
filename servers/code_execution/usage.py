"""What a jail uses, as the kernel tells from outside: memory of all of its processes together, and
what is in its folder. The kernel's own limits hold for one process each."""

import os
from contextlib import suppress
from dataclasses import dataclass

RESIDENT = frozenset({b"RssAnon", b"RssShmem"})
SHARES = frozenset({b"Pss_Anon", b"Pss_Shmem"})
MOST_PROCESSES = 512


@dataclass(frozen=True)
class Usage:
    """Bytes of memory, the folder's among them, and files in the folder."""

    memory_bytes: int = 0
    files: int = 0
    processes: int = 0


def usage_of(first: int, folder: str, *, exact: bool = False) -> Usage:
    """What the jail of this first process uses; nothing if it has ended. Unless `exact`, which
    takes some milliseconds, what processes share counts for each of them."""
    memory, processes = 0, 0
    for pid in _tree(first):
        with suppress(OSError, ValueError):
            memory += _bytes(pid, *(("smaps_rollup", SHARES) if exact else ("status", RESIDENT)))
            processes += 1
    try:
        found = os.statvfs(f"/proc/{first}/root{folder}")
    except OSError:
        return Usage(memory, 0, processes)
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    return Usage(memory + used, found.f_files - found.f_ffree, processes)


def _tree(first: int) -> list[int]:
    found = [first]
    for pid in found:
        with suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                    found += map(int, file.read().split())
        if len(found) > MOST_PROCESSES:
            break
    return found


def _bytes(pid: int, file: str, names: frozenset[bytes]) -> int:
    with open(f"/proc/{pid}/{file}", "rb") as lines:
        found = [line.split() for line in lines if line.partition(b":")[0] in names]
    return 1024 * sum(int(words[1]) for words in found)
