"""Becomes bubblewrap with lowered limits, and as nobody if it was root.

Run as a script with the standard library alone (`python -I -S -c <this> ORDER`), so that the server
can use plain fork and exec: code between fork and exec is unsafe in a process with threads. ORDER
is JSON, as `command` makes it.
"""

import base64
import json
import os
import resource
import sys


def main(order: dict) -> None:  # type: ignore[type-arg]  # JSON, made by `command`
    """Does as ordered; does not come back."""
    for name, most in order["limits"].items():
        if most:
            lower(getattr(resource, name), most)
    lower(resource.RLIMIT_CORE, 0)
    os.nice(order["niceness"])
    filter_ = os.memfd_create("filter", 0)
    os.write(filter_, base64.b64decode(order["filter"]))
    os.lseek(filter_, 0, os.SEEK_SET)
    # The kernel's limit of processes does not hold for root, whatever the namespace calls it.
    if os.geteuid() == 0:
        become(order["nobody"])
    bwrap, *arguments = order["program"]
    os.execv(bwrap, [bwrap, "--seccomp", str(filter_), *arguments])  # noqa: S606


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
    main(json.loads(sys.argv[1]))
