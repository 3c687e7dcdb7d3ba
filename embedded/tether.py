"""Becomes another program, tied to the process that started it.

Run as a script with the standard library alone (`python -I -S tether.py`), so that the parent can
use plain fork and exec: code between fork and exec is unsafe in a process that has threads.

Arguments: parent's pid, signal sent when the parent dies, file to lock, stale file to remove, uid,
gid, then the program and its arguments. An empty argument leaves its step out.

The order matters: the lock is taken while we may still open it, and the death signal is set again
last, because Linux forgets it when the user changes.
"""

import ctypes
import fcntl
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
LOCK_SECONDS = 30.0
TEMPORARY_FAILURE = 75


def hold(path: str) -> None:
    """Locks `path` for as long as the program, or any process it forks, is alive.

    The file descriptor is left open across exec on purpose. A run that was killed may need a moment
    to go away; two servers on one folder would destroy it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, True)
    deadline = time.monotonic() + LOCK_SECONDS
    while not taken(descriptor):
        if time.monotonic() > deadline:
            sys.stderr.write(f"an earlier process still holds {path}\n")
            sys.exit(TEMPORARY_FAILURE)
        time.sleep(0.05)


def taken(descriptor: int) -> bool:
    """Whether the lock is ours now; does not wait."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def discard(path: str) -> None:
    """Removes a file that a killed run left behind; the lock says that nobody uses it."""
    if os.path.exists(path):
        os.unlink(path)


def become(uid: int, gid: int) -> None:
    """Drops root for good."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def die_with(parent: int, number: int) -> None:
    """Has Linux send us signal `number` when our parent dies; leaves if it is dead already.

    "Parent" is the thread that started us: it has to be one that lives as long as its process.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        sys.exit(TEMPORARY_FAILURE)


def restore_signals() -> None:
    """Undoes what an exec would pass on: Python ignores two, a shell's `&` has SIGINT ignored."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def main(arguments: list[str]) -> None:
    """Never returns: becomes the program or exits."""
    parent, death, lock, stale, uid, gid, *program = arguments
    os.umask(0o077)
    die_with(int(parent), signal.SIGKILL)
    if lock:
        hold(lock)
    if stale:
        discard(stale)
    if uid:
        become(int(uid), int(gid))
    die_with(int(parent), int(death))
    restore_signals()
    os.execv(program[0], program)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
