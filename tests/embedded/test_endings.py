"""However a Kari ends, nothing is left running and nothing acknowledged is lost."""

import asyncio
import itertools
import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.embedded.processes import Hold, until
from tests.embedded.store_clients import names_everywhere, write_everywhere

WRITERS = 8


async def test_kill_9_leaves_nothing_running_and_loses_no_acknowledged_row(
    data: Path, hold: Hold
) -> None:
    """The supervisor has no chance to clean up; Linux does it."""
    first = hold(data)
    first.await_stores()
    await write_everywhere(first.urls, "before")
    first.end(signal.SIGKILL)
    assert first.survivors() == []
    second = hold(data)
    second.await_stores()
    found = await names_everywhere(second.urls)
    assert found == {"postgres": {"before"}, "redis": {"before"}, "milvus": {"before"}}


async def test_kill_9_of_everything_amid_writes_loses_no_acknowledged_row(
    data: Path, hold: Hold
) -> None:
    """Stores too get no chance to close; several writers are at work in each.

    Valkey may lose its last second by design: it writes while it does not wait for the disk.
    """
    first = hold(data)
    first.await_stores()
    await write_everywhere(first.urls, "before")
    acknowledged = {"before"}
    writers = [
        asyncio.create_task(_keep_writing(first.urls, str(number), acknowledged))
        for number in range(WRITERS)
    ]
    await until(lambda: len(acknowledged) > 3 * WRITERS)
    first.kill_all()
    await asyncio.gather(*writers, return_exceptions=True)
    assert first.survivors() == []
    second = hold(data)
    second.await_stores()
    found = await names_everywhere(second.urls)
    assert acknowledged <= found["postgres"]
    assert acknowledged <= found["milvus"]
    assert "before" in found["redis"]


async def _keep_writing(urls: dict[str, str], writer: str, acknowledged: set[str]) -> None:
    """Writes until the stores are gone; that error is the end of the task."""
    for number in itertools.count():
        await write_everywhere(urls, f"{writer}-{number}")
        acknowledged.add(f"{writer}-{number}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_stops_everything_cleanly(data: Path, hold: Hold, number: int) -> None:
    """Ctrl-C, `kill` and a closed terminal."""
    holder = hold(data)
    holder.await_stores()
    assert holder.end(number) == 0
    assert holder.survivors() == []
    log = (data / "logs" / "postgres.log").read_text()
    assert "database system is shut down" in log.splitlines()[-1]
    assert not (data / "postgres" / "cluster" / "postmaster.pid").exists()


async def test_a_closed_terminal_is_ignored_below_nohup(data: Path, hold: Hold) -> None:
    """As `nohup` promises."""
    holder = hold(data, at_hangup=signal.SIG_IGN)
    holder.await_stores()
    holder.process.send_signal(signal.SIGHUP)
    await write_everywhere(holder.urls, "after")
    assert holder.end(signal.SIGTERM) == 0


async def test_a_second_signal_ends_at_once_and_leaves_nothing(data: Path, hold: Hold) -> None:
    """Who presses Ctrl-C twice does not want to wait for a store that hangs."""
    holder = hold(data)
    holder.await_stores()
    stuck = psutil.Process(holder.pids["milvus"])
    stuck.suspend()
    holder.remember()
    holder.process.send_signal(signal.SIGINT)
    await until(lambda: not psutil.pid_exists(holder.pids["redis"]))
    assert holder.end(signal.SIGINT) == 128 + signal.SIGINT
    stuck.resume()
    assert holder.survivors() == []


async def test_a_first_start_that_was_killed_halfway_does_not_spoil_the_next(
    data: Path, hold: Hold
) -> None:
    """Half a cluster is never taken for a whole one."""
    first = hold(data)
    await until(lambda: list(data.glob("postgres/draft-*/PG_VERSION")))
    first.end(signal.SIGKILL)
    assert not (data / "postgres" / "cluster").exists()
    second = hold(data)
    second.await_stores()
    await write_everywhere(second.urls, "after")
    assert first.survivors() == []
    assert os.listdir(data / "postgres") == ["cluster"]
