"""Programs that must not outlive the process that started them."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process

import psutil
import pytest

from servers.runtime.guardian import guarded
from tests.hosting import until

FAMILY = """
import os, subprocess, sys
child = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
print(os.getpid(), child.pid, flush=True)
{then}
"""
STARTER = """
import subprocess, sys
from servers.runtime.guardian import guarded
program = (sys.executable, "-c", sys.argv[1])
subprocess.Popen(guarded(program), start_new_session=True).wait()
"""


async def started(*words: str) -> Process:
    """A process whose output can be read, in a session of its own."""
    return await asyncio.create_subprocess_exec(
        *words, stdin=PIPE, stdout=PIPE, stderr=STDOUT, start_new_session=True
    )


async def family_of(process: Process) -> list[int]:
    """The ids that it prints."""
    assert process.stdout is not None
    return [int(word) for word in (await process.stdout.readline()).split()]


async def gone(pids: list[int]) -> None:
    """Returns when no process of these is left."""

    async def check() -> bool:
        return not any(map(alive, pids))

    await until(check)


def alive(pid: int) -> bool:
    """Whether it runs: one that nobody has waited for yet does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_with_a_starter_that_was_killed_all_it_started_die() -> None:
    """The program and what that started, which has another parent and reads no input."""
    starter = await started(
        sys.executable,
        "-c",
        STARTER,
        FAMILY.format(then="sys.stdin.read(); import time; time.sleep(1000)"),
    )
    family = await family_of(starter)
    assert len(family) == 2
    starter.kill()
    await starter.communicate()
    await gone(family)


async def test_what_a_program_leaves_behind_goes_with_it() -> None:
    program = await started(*guarded((sys.executable, "-c", FAMILY.format(then="sys.exit(5)"))))
    family = await family_of(program)
    assert (await program.communicate(), program.returncode) == ((b"", None), 5)
    await gone(family)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
async def test_a_program_that_was_killed_shows_by_what(number: signal.Signals) -> None:
    then = f"os.kill(os.getpid(), {int(number)})"
    program = await started(*guarded((sys.executable, "-c", FAMILY.format(then=then))))
    await family_of(program)
    await program.communicate()
    assert program.returncode == -number


async def test_a_program_may_answer_being_asked_to_stop() -> None:
    """SIGTERM reaches it, and its last words are heard; a child that ignores it is killed."""
    then = "import signal\ntry: signal.sigwait([15])\nfinally: print('bye', flush=True)"
    script = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [15])\n" + FAMILY.format(
        then=then
    )
    program = await started(*guarded((sys.executable, "-c", script)))
    await family_of(program)
    program.send_signal(signal.SIGTERM)
    assert program.stdout is not None
    assert await program.stdout.read() == b"bye\n"
    assert await program.wait() == 0


async def test_a_program_that_is_not_there_says_so() -> None:
    program = await started(*guarded(("no-such-program",)))
    said, _ = await program.communicate()
    assert (program.returncode, said) == (127, b"no-such-program: No such file or directory\n")
