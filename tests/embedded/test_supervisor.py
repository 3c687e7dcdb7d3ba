"""Programs that end are started again; programs that are stopped, or orphaned, end."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from embedded.child_log import MOST_BYTES, ChildLog, LogLimit
from embedded.errors import StartError
from embedded.program import Program
from embedded.supervisor import Backoff, Supervisor
from tests.embedded.processes import printed, survivors, until

AT_ONCE = Backoff(first=0, most=0)
SUPERVISE = Path(__file__).with_name("supervise.py")
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True)"


def python(name: str, code: str, **options: object) -> Program:
    """A program of a few lines."""
    return Program(name, (sys.executable, "-c", code), {}, **options)  # type: ignore[arg-type]


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
async def supervisor(tmp_path: Path, lines: list[str]) -> AsyncIterator[Supervisor]:
    async with Supervisor(tmp_path, lines.append, stop_seconds=1, backoff=AT_ONCE) as supervisor:
        yield supervisor


async def test_a_program_that_crashes_is_started_again(
    supervisor: Supervisor, tmp_path: Path, lines: list[str]
) -> None:
    """And again, and each time is reported with its last words."""
    await supervisor.start(python("crasher", "print('last words'); raise SystemExit(3)"))
    await until(printed(tmp_path / "crasher.log", "last words", times=3))
    assert "crasher: exit status 3: last words; starting again in 0 s" in lines
    assert "crasher: running again" in lines


async def test_a_program_that_is_killed_is_said_to_be(
    supervisor: Supervisor, lines: list[str]
) -> None:
    """The signal has its name."""
    await supervisor.start(python("sleeper", "import time; time.sleep(60)"))
    os.kill(supervisor.pid("sleeper"), signal.SIGKILL)
    await until(lambda: lines)
    assert lines[0].startswith("sleeper: killed by SIGKILL")


def test_waits_double_up_to_a_limit_and_start_over_after_a_minute_of_health() -> None:
    """1, 2, 4, 8, 16, 30, 30 seconds."""
    backoff, wait, waits = Backoff(), 0.0, []
    for _ in range(7):
        wait = backoff.next(wait, lived=5)
        waits.append(wait)
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert backoff.next(30, lived=61) == 1


async def test_a_program_that_never_answers_is_a_clear_error(supervisor: Supervisor) -> None:
    """With the end of its log, and nothing left of it."""
    code = "import time; print('waiting for Godot', flush=True); time.sleep(60)"
    with pytest.raises(StartError, match=r"silent did not start: does not answer") as caught:
        await supervisor.start(python("silent", code, answers=never, start_seconds=1))
    assert caught.value.detail == "waiting for Godot"
    assert not psutil.pid_exists(supervisor.pid("silent"))


async def never() -> bool:
    return False


async def test_a_program_that_cannot_be_run_is_a_clear_error(supervisor: Supervisor) -> None:
    """A missing file is found by what runs in its place."""
    missing = Program("missing", ("/nowhere/at/all",), {}, answers=never)
    with pytest.raises(StartError, match="No such file or directory"):
        await supervisor.start(missing)


async def test_one_program_of_several_that_fails_is_the_error_raised(
    supervisor: Supervisor,
) -> None:
    """The others, cancelled, end with the supervisor."""
    bad = python("bad", "raise SystemExit(1)", answers=never)
    good = python("good", "import time; time.sleep(60)", answers=never)
    with pytest.raises(StartError, match="bad did not start"):
        await supervisor.start_all((good, bad))
    await supervisor.stop()
    assert not psutil.pid_exists(supervisor.pid("good"))


async def test_stop_lets_a_program_finish(supervisor: Supervisor, tmp_path: Path) -> None:
    """SIGTERM first: what it does then is up to the program."""
    code = "import signal; signal.signal(15, lambda *_: (print('drained'), exit()));"
    await supervisor.start(python("drainer", code + "print('up', flush=True); signal.pause()"))
    await until(printed(tmp_path / "drainer.log", "up"))
    await supervisor.stop()
    assert "drained" in (tmp_path / "drainer.log").read_text()


async def test_stop_kills_what_does_not_listen(supervisor: Supervisor, tmp_path: Path) -> None:
    """With everything that it started."""
    code = f"{STUBBORN}; import os; os.fork(); time.sleep(60)"
    await supervisor.start(python("stubborn", code))
    await until(printed(tmp_path / "stubborn.log", "up"))
    itself = psutil.Process(supervisor.pid("stubborn"))
    family = [itself, *itself.children()]
    await supervisor.stop()
    assert survivors(family) == []


def test_kill_9_of_the_supervisor_ends_even_a_stubborn_program(tmp_path: Path) -> None:
    """Without an answer to SIGTERM there is still SIGKILL from Linux."""
    argv = (sys.executable, str(SUPERVISE), str(tmp_path), f"{STUBBORN}; time.sleep(60)")
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        orphan = psutil.Process(int(holder.stdout.readline()))
        holder.kill()
    assert survivors([orphan]) == []


async def test_two_programs_never_hold_one_lock(supervisor: Supervisor, tmp_path: Path) -> None:
    """The second runs when every process of the first has ended, its children too."""
    lock = tmp_path / "lock"
    forking = "import os, time; os.fork(); print('up', flush=True); time.sleep(60)"
    async with Supervisor(tmp_path, print, stop_seconds=1, backoff=Backoff(first=60)) as other:
        await other.start(python("first", forking, lock=lock))
        await until(printed(tmp_path / "first.log", "up", times=2))
        await supervisor.start(python("second", "print('up')", lock=lock))
        itself = psutil.Process(other.pid("first"))
        for process in (itself, *itself.children()):
            assert (tmp_path / "second.log").read_text() == ""
            process.kill()
    await until(printed(tmp_path / "second.log", "up"))


def test_a_log_that_grew_large_is_put_aside(tmp_path: Path) -> None:
    """One older file is kept, so a log has a bound."""
    (tmp_path / "server.log").write_bytes(b"x" * (MOST_BYTES + 1))
    log = ChildLog(tmp_path, "server")
    log.close()
    assert log.path.read_text() == ""
    assert (tmp_path / "server.log.1").stat().st_size == MOST_BYTES + 1


def test_the_log_of_a_running_child_is_bounded_and_goes_on(tmp_path: Path) -> None:
    """The last bytes are kept in the older file; what comes next stands at the beginning."""
    log = ChildLog(tmp_path, "server")
    os.write(log.descriptor, b"first, " * 10 + b"last")
    assert not log.bound(most=74)
    assert log.bound(most=4)
    os.write(log.descriptor, b"next")
    assert (log.path.read_text(), log.tail()) == ("next", "next")
    assert (tmp_path / "server.log.1").read_text() == "last"
    log.close()


def test_a_log_is_bounded_even_if_nothing_can_be_kept(tmp_path: Path) -> None:
    """As on a disk that is full; a file that somebody removed has no size."""
    log = ChildLog(tmp_path, "server")
    (tmp_path / "server.log.1").mkdir()
    os.write(log.descriptor, b"text")
    assert log.bound(most=3)
    assert log.path.read_bytes() == b""
    log.path.unlink()
    assert not log.bound(most=3)
    log.close()


async def test_a_child_that_prints_without_end_fills_no_disk(tmp_path: Path) -> None:
    """Its numbers go on in a file that began anew."""
    limit = LogLimit(most=100_000, seconds=0.05)
    chatty = "import itertools\nfor n in itertools.count(): print(n, flush=True)"
    log, older = tmp_path / "chatty.log", tmp_path / "chatty.log.1"
    async with Supervisor(tmp_path, print, stop_seconds=1, log_limit=limit) as supervisor:
        await supervisor.start(python("chatty", chatty))
        await until(lambda: older.exists() and log.read_bytes()[:2] not in (b"", b"0\n"))
    assert older.stat().st_size <= limit.most
    assert b"\0" not in log.read_bytes()
