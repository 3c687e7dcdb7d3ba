"""Runs a program that must not outlive the process that started it, nor anything that it starts.

Run as a script with the standard library alone (`python -I -S guardian.py`), as the leader of a
process group of its own. Arguments: the parent's pid, then the program and its arguments. It stays
beside the program as long as that runs: Linux tells a child of its parent's death, but not a
grandchild, and many programs are started by a launcher. When the parent dies the whole group is
killed; when the program ends, what is left of the group is asked to. A SIGTERM to the group is the
program's to answer.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
DEATH = signal.SIGUSR1
"""Sent to us when our parent dies."""
TEMPORARY_FAILURE = 75
NOT_FOUND = 127
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT)
"""Python ignores two, a shell's `&` has SIGINT ignored; an exec would pass that on."""


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


def kill_group(_number: int, _frame: FrameType | None) -> None:
    """Ends everybody, ourselves too."""
    os.killpg(0, signal.SIGKILL)


def become(program: list[str], guardian: int) -> None:
    """Never returns: becomes the program or exits."""
    die_with(guardian, signal.SIGKILL)
    for number in (*IGNORED, signal.SIGTERM, DEATH):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(program[0], program)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{program[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(NOT_FOUND)


def leave(status: int) -> None:
    """Ends as the program did, and takes along what it left behind."""
    os.killpg(0, signal.SIGTERM)
    if os.WIFSIGNALED(status):
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def main(arguments: list[str]) -> None:
    """Runs the program to its end and ends as it did."""
    parent, *program = arguments
    os.umask(0o077)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(DEATH, kill_group)
    die_with(int(parent), DEATH)
    ours = os.getpid()
    child = os.fork()
    if child == 0:
        become(program, ours)
    # The program's end has to show as the end of its pipes.
    silent = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silent, descriptor)
    leave(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main(sys.argv[1:])
