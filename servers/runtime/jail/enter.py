"""Becomes bubblewrap with lowered limits, and as nobody if it was root.

Run as a script with the standard library alone (`python -I -S -c <this> ORDER...`), so that the
server can use plain fork and exec: code between fork and exec is unsafe in a process with threads.
ORDER is words, as `command` makes them: parsing JSON would take as long as all the rest.
"""

import os
import resource
import sys


def main(niceness: str, nobody: str, filter_: str, *words: str) -> None:
    """Lowers the limits that come before `--` and becomes the program behind it."""
    at = words.index("--")
    for limit, most in (word.split("=") for word in words[:at]):
        lower(getattr(resource, limit), int(most))
    lower(resource.RLIMIT_CORE, 0)
    os.nice(int(niceness))
    descriptor = os.memfd_create("filter", 0)
    os.write(descriptor, bytes.fromhex(filter_))
    os.lseek(descriptor, 0, os.SEEK_SET)
    # The kernel's limit of processes does not hold for root, whatever the namespace calls it.
    if os.geteuid() == 0:
        become(int(nobody))
    bwrap, *arguments = words[at + 1 :]
    os.execv(bwrap, [bwrap, "--seccomp", str(descriptor), *arguments])  # noqa: S606


def become(user: int) -> None:
    """Drops root for good."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def lower(limit: int, most: int) -> None:
    """Lowers a limit; one that is lower stays."""
    _, hard = resource.getrlimit(limit)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    main(*sys.argv[1:])
