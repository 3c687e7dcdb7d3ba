"""Programs that are forked are supervised like others, and none outlives what forked it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from embedded.errors import StartError
from embedded.fork_server import ForkServer
from embedded.program import Program
from embedded.supervisor import Backoff, Supervisor
from tests.embedded.processes import printed, survivors, until

FORKED = "tests.embedded.forked_program:main"
ROOT = Path(__file__).parents[2]


def fork_server(logs: Path, function: str = FORKED) -> ForkServer:
    """What forks programs that call this function."""
    argv = (sys.executable, "-m", "embedded.forking", function)
    return ForkServer(Program("fork_server", argv, os.environ, folder=ROOT), logs)


@pytest.fixture
async def forks(tmp_path: Path) -> AsyncIterator[ForkServer]:
    async with fork_server(tmp_path) as running:
        yield running


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
async def supervisor(
    forks: ForkServer, tmp_path: Path, lines: list[str]
) -> AsyncIterator[Supervisor]:
    backoff = Backoff(first=0, most=0)
    async with Supervisor(tmp_path, lines.append, stop_seconds=1, backoff=backoff) as running:
        yield running


def forked(forks: ForkServer, name: str, does: str) -> Program:
    """A program of `forked_program`."""
    return Program(name, (), {}, forked=partial(forks.fork, [name, does]))


async def test_a_forked_program_stands_alone(
    supervisor: Supervisor, forks: ForkServer, tmp_path: Path
) -> None:
    """A session, a log, a name and nothing to read of its own; its parent can be forked on."""
    names = ("one", "a_name_longer_than_fifteen_bytes")
    await supervisor.start_all(forked(forks, name, "sleep") for name in names)
    for name in names:
        await until(printed(tmp_path / f"{name}.log", f"{name} True ''"))
        process = psutil.Process(supervisor.pid(name))
        assert process.name() == name[:15]
        assert {d.path for d in process.open_files()} <= {str(tmp_path / f"{name}.log")}
        assert process.net_connections("all") == []
    parent = psutil.Process(supervisor.pid("one")).parent()
    assert parent is not None
    assert (parent.name(), parent.num_threads()) == ("fork_server", 1)


async def test_what_is_random_differs_between_processes(
    supervisor: Supervisor, forks: ForkServer, tmp_path: Path
) -> None:
    """Though one id was made before they were forked."""
    names = ("one", "two")
    await supervisor.start_all(forked(forks, name, "sleep") for name in names)
    for name in names:
        await until(printed(tmp_path / f"{name}.log", "after_"))
    one, two = ((tmp_path / f"{name}.log").read_text().split() for name in names)
    assert one[3] != two[3]
    # Behind the time, of which two processes may see the same millisecond.
    assert one[4][-16:] != two[4][-16:]


async def test_one_that_ends_is_forked_again(
    supervisor: Supervisor, forks: ForkServer, tmp_path: Path, lines: list[str]
) -> None:
    """And again; its exit status is told."""
    await supervisor.start(forked(forks, "crasher", "fail"))
    await until(printed(tmp_path / "crasher.log", "crasher True", times=3))
    assert lines[0].startswith("crasher: exit status 3: crasher True")
    assert "crasher: running again" in lines


async def test_one_that_is_killed_is_said_to_be(
    supervisor: Supervisor, forks: ForkServer, lines: list[str]
) -> None:
    """The signal has its name."""
    await supervisor.start(forked(forks, "sleeper", "sleep"))
    os.kill(supervisor.pid("sleeper"), signal.SIGKILL)
    await until(lambda: lines)
    assert lines[0].startswith("sleeper: killed by SIGKILL")


async def test_all_are_forked_again_by_another_when_their_parent_dies(
    supervisor: Supervisor, forks: ForkServer, tmp_path: Path, lines: list[str]
) -> None:
    """None lives on without it."""
    names = ("one", "two")
    await supervisor.start_all(forked(forks, name, "sleep") for name in names)
    for name in names:
        await until(printed(tmp_path / f"{name}.log", f"{name} True"))
    before = [psutil.Process(supervisor.pid(name)) for name in names]
    parent = before[0].parent()
    assert parent is not None
    parent.kill()
    assert await asyncio.to_thread(survivors, [parent, *before]) == []
    for name in names:
        await until(printed(tmp_path / f"{name}.log", f"{name} True", times=2))
        assert [line for line in lines if line.startswith(f"{name}: killed by SIGKILL")]
    after = {psutil.Process(supervisor.pid(name)).ppid() for name in names}
    assert len(after) == 1
    assert after != {parent.pid}


async def test_nobody_is_given_what_another_asked_for_and_left(
    forks: ForkServer, tmp_path: Path
) -> None:
    """What was forked for somebody who was cancelled is killed."""
    log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    left = asyncio.create_task(forks.fork(["left", "sleep"], log))
    stays = asyncio.create_task(forks.fork(["stays", "sleep"], log))
    first = await forks.fork(["first", ""], log)
    assert await first.wait() == 0
    assert await left != await stays
    gone = asyncio.create_task(forks.fork(["gone", "sleep"], log))
    await asyncio.sleep(0)  # it asks
    gone.cancel()
    with suppress(asyncio.CancelledError):
        await gone
    last = await forks.fork(["last", ""], log)
    assert await last.wait() == 0
    os.close(log)
    parent = psutil.Process((await stays).pid).parent()
    assert parent is not None
    await until(
        lambda: [p.pid for p in parent.children()] == [left.result().pid, stays.result().pid]
    )


async def test_the_log_is_named_where_nothing_can_be_forked(tmp_path: Path) -> None:
    """With its last lines."""
    async with fork_server(tmp_path, "tests.embedded.nothing:main") as forks:
        with pytest.raises(StartError) as raised:
            await forks.fork(["one"], 2)
    assert raised.value.message == "No process can be forked: fork_server ended"
    assert "No module named 'tests.embedded.nothing'" in raised.value.detail


HOLD = """
import asyncio, sys
from pathlib import Path
from tests.embedded.test_fork_server import fork_server

async def hold():
    async with fork_server(Path(sys.argv[1])) as forks:
        print((await forks.fork(["one", "sleep"], 2)).pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""


def test_kill_9_of_the_supervisor_ends_what_was_forked(tmp_path: Path) -> None:
    """Linux tells the parent, and then its children."""
    argv = (sys.executable, "-c", HOLD, str(tmp_path))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT) as holder:
        assert holder.stdout
        orphan = psutil.Process(int(holder.stdout.readline()))
        family = [orphan, orphan.parent()]
        holder.kill()
    assert survivors([process for process in family if process]) == []
