"""Runs a program that must not outlive the process that started it, nor anything that it starts.

Run as a script with the standard library alone (`python -I -S guardian.py`), in a session of its
own. Arguments: the parent's pid, then the program and its arguments. It stays beside the program
as long as that runs: Linux tells a child of its parent's death, but not a grandchild, and many
programs are started by a launcher. The program leads a process group. When the parent dies, or says
so with `KILL`, the whole group is killed; SIGTERM is passed on to it; when the program ends, what
it left behind is killed, and we end as it did.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
KILL = signal.SIGUSR1
"""Has everybody killed."""
TEMPORARY_FAILURE = 75
NOT_FOUND = 127
CHANGED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, KILL)
"""Python ignores two, a shell's `&` has SIGINT ignored, we have two of our own; an exec would pass
on what is ignored."""


def guarded(program: Sequence[str]) -> tuple[str, ...]:
    """The command line that runs `program` through the guardian. Start it in a session of its own,
    on a thread that lives as long as the process: by the end of either it is killed."""
    return (sys.executable, "-I", "-S", str(Path(__file__)), str(os.getpid()), *program)


def die_with(parent: int, number: int) -> None:
    """Has Linux send us signal `number` when our parent dies; leaves if it is dead already."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        sys.exit(TEMPORARY_FAILURE)


def become(program: list[str], guardian: int) -> None:
    """Never returns: becomes the program or exits."""
    os.setpgid(0, 0)
    die_with(guardian, signal.SIGKILL)
    for number in CHANGED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, CHANGED)
    try:
        os.execvp(program[0], program)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{program[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(NOT_FOUND)


def tell(group: int, number: int) -> None:
    """Sends a signal to whoever is left of a group."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def leave(status: int) -> None:
    """Ends as the program did."""
    if os.WIFSIGNALED(status):
        with suppress(OSError):  # SIGKILL has no other
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def watch(child: int) -> None:
    """Passes on what we are told until the program has ended."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        tell(child, signal.SIGKILL if number == KILL else number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(KILL, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, CHANGED)
    # The program's end has to show as the end of its pipes.
    silent = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silent, descriptor)
    _, status = os.waitpid(child, 0)
    tell(child, signal.SIGKILL)
    leave(status)


def main(arguments: list[str]) -> None:
    """Runs the program to its end and ends as it did."""
    parent, *program = arguments
    os.umask(0o077)
    # What comes before there is a program waits until there is one.
    signal.pthread_sigmask(signal.SIG_BLOCK, CHANGED)
    die_with(int(parent), KILL)
    ours = os.getpid()
    child = os.fork()
    if child == 0:
        become(program, ours)
    # Unless it has become the program, and its group's leader before.
    with suppress(PermissionError):
        os.setpgid(child, child)
    watch(child)


if __name__ == "__main__":
    main(sys.argv[1:])
