"""Jobs in limited processes: what they may, what they may not, and what becomes of the room."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from servers.runtime.limited import (
    BytesSource,
    JobFailed,
    Limits,
    Room,
    Why,
    frames,
    zygote_process,
)
from tests.hosting import until
from tests.running import ROOT

JOBS = "tests.runtime.limited_jobs"
TIGHT = Limits(seconds=20, cpu_seconds=1, memory_bytes=100_000_000, output_bytes=1_000_000)
FILE = BytesSource(bytes(range(256)) * 20_000)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def room() -> AsyncIterator[Room]:
    """One room for all tests."""
    opened = Room("tests", [JOBS])
    yield opened
    await opened.close()


async def failure(
    room: Room, function: str, request: bytes = b"", limits: Limits = TIGHT
) -> JobFailed:
    """How a job fails."""
    with pytest.raises(JobFailed) as failed:
        await room.whole(f"{JOBS}:{function}", FILE, request, limits)
    return failed.value


async def test_a_job_reads_its_file_and_gives_pieces(room: Room) -> None:
    """Whatever their sizes."""
    assert await room.whole(f"{JOBS}:copy", FILE) == await FILE.read(0, FILE.size)
    assert await room.whole(f"{JOBS}:length", FILE, b"asked") == b"5120000 asked"


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("memory", Why.MEMORY),
        ("cpu", Why.TIME),
        ("crash", Why.CRASHED),
        ("leave", Why.CRASHED),
        ("broken", Why.BROKEN),
        ("unreadable", Why.UNREADABLE),
        ("endless", Why.OUTPUT),
    ],
)
async def test_a_job_that_goes_wrong_is_told(room: Room, function: str, why: Why) -> None:
    """And the next one is none the worse for it."""
    failed = await failure(room, function)
    assert failed.why is why
    assert "secret" not in failed.sentence
    assert await room.whole(f"{JOBS}:length", BytesSource(b"123")) == b"3 "


async def test_what_the_file_says_of_itself_is_told(room: Room) -> None:
    assert (await failure(room, "unreadable")).sentence == "the file asks for a password"


async def test_a_job_that_does_nothing_is_ended(room: Room) -> None:
    """Its processor time never runs out."""
    limits = Limits(seconds=0.3)
    assert (await failure(room, "loop", limits=limits)).why is Why.TIME


async def test_pieces_before_a_failure_count(room: Room) -> None:
    """Half a file may be worth reading."""
    pieces = room.run(f"{JOBS}:broken", FILE)
    assert await anext(pieces) == b"before"
    with pytest.raises(JobFailed):
        await anext(pieces)


async def test_a_job_has_no_secrets_of_the_server(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KARI_POSTGRES_URL", "postgresql://secret")
    found = (await room.whole(f"{JOBS}:secrets", FILE)).decode()
    assert "KARI" not in found
    assert "PATH" in found


async def test_a_job_reaches_nothing(room: Room, tmp_path: Path) -> None:
    """No network, no program, no file outside of libraries, none to write, no other process, and
    none that it makes: it would outlive the server."""
    if not {"seccomp", "landlock"} <= set(await room.ready()):
        pytest.skip("this kernel has neither")
    secret = tmp_path / "secret"
    secret.write_text("s")
    for function, request in (
        ("network", b""),
        ("program", b""),
        ("write", str(tmp_path / "written").encode()),
        ("secrets", str(secret).encode()),
        ("secrets", str(ROOT / "pyproject.toml").encode()),
        ("kill_sibling", str(os.getpid()).encode()),
        ("kill_parent", b""),
        ("fork", b""),
    ):
        failed = await failure(room, function, request)
        assert (function, "PermissionError" in failed.cause) == (function, True)


async def test_a_job_may_have_threads(room: Room) -> None:
    assert await room.whole(f"{JOBS}:threads", FILE) == b"[0, 1, 2]"


@pytest.mark.parametrize(
    "asked",
    [frames.RANGE.pack(0, frames.MOST_READ + 1), b"", b"x" * 5],
    ids=["much", "none", "odd"],
)
async def test_a_job_asks_for_little_of_its_file_at_a_time(room: Room, asked: bytes) -> None:
    """The server would have to hold it, and the store to look for it."""
    failed = await failure(room, "ask", asked)
    assert failed.why is Why.CRASHED
    assert "asked for" in failed.cause


async def test_who_goes_away_ends_the_job(room: Room) -> None:
    """It does not stay behind."""
    async with aclosing(room.run(f"{JOBS}:loop", FILE)) as pieces:
        await anext(pieces)
        (job,) = children()
    await until(lambda: gone(job))


async def test_a_dead_zygote_is_replaced(room: Room) -> None:
    await room.ready()
    for zygote in zygotes():
        zygote.send_signal(signal.SIGKILL)
    failed: list[JobFailed] = []

    async def works() -> bool:
        try:
            return await room.whole(f"{JOBS}:length", BytesSource(b"123")) == b"3 "
        except JobFailed as failure:
            failed.append(failure)
            return False

    await until(works)
    assert all(each.why is Why.ROOM for each in failed)


async def test_a_dead_zygote_says_nothing_of_files(room: Room) -> None:
    """Whose jobs die with it."""
    pieces = room.run(f"{JOBS}:loop", FILE)
    assert await anext(pieces) == b"before"
    for zygote in zygotes():
        zygote.send_signal(signal.SIGKILL)
    with pytest.raises(JobFailed) as failed:
        await anext(pieces)
    assert failed.value.why is Why.ROOM


async def test_a_job_that_cannot_be_forked_is_told() -> None:
    """It alone: others that are under way go on."""
    opened = Room("forks", [JOBS, "tests.runtime.few_forks"])
    async with aclosing(opened.run(f"{JOBS}:slowly", FILE)) as pieces:
        assert await anext(pieces) == b"before"
        assert (await failure(opened, "copy")).why is Why.ROOM
        assert await opened.whole(f"{JOBS}:length", BytesSource(b"123")) == b"3 "
        assert [piece async for piece in pieces] == [b"behind"]
    await opened.close()


async def test_a_job_whose_socket_has_no_room_is_told(room: Room) -> None:
    """Where the zygote may open no more files."""
    await room.ready()
    before = [(zygote, zygote.rlimit(psutil.RLIMIT_NOFILE)) for zygote in zygotes()]
    for zygote, (_, most) in before:
        zygote.rlimit(psutil.RLIMIT_NOFILE, (3, most))
    assert (await failure(room, "copy")).why is Why.ROOM
    for zygote, limits in before:
        zygote.rlimit(psutil.RLIMIT_NOFILE, limits)
    assert await room.whole(f"{JOBS}:length", BytesSource(b"123")) == b"3 "


async def test_a_zygote_that_hears_nothing_is_not_lost() -> None:
    """It alone keeps its jobs: who comes meanwhile is told to come again."""
    before = zygotes()
    zygote = zygote_process.ZygoteProcess([JOBS])
    zygote.open()
    try:
        await zygote.opened()
        (process,) = set(zygotes()) - set(before)
        process.suspend()
        with pytest.raises(JobFailed) as failed:
            await started_without_end(zygote)
        assert failed.value.why is Why.ROOM
        assert failed.value.cause == "the zygote has not heard of earlier jobs"
        assert zygote.alive
    finally:
        await zygote.close()


async def test_where_no_zygote_starts_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until one does."""
    opened = Room("none", [JOBS])
    with monkeypatch.context() as patch:
        patch.setattr(zygote_process, "COMMAND", ("/nonexistent",))
        assert (await failure(opened, "copy")).why is Why.ROOM
    assert await opened.whole(f"{JOBS}:length", BytesSource(b"123")) == b"3 "
    await opened.close()


async def test_everything_dies_with_the_server() -> None:
    """However it dies."""
    program = (
        "import asyncio\n"
        "from servers.runtime.limited import *\n"
        "async def main():\n"
        f"    room = Room('r', ['{JOBS}'])\n"
        f"    async for piece in room.run('{JOBS}:loop', BytesSource(b'1')):\n"
        "        print(piece, flush=True)\n"
        "asyncio.run(main())\n"
    )
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    while b"before" not in await server.stdout.readline():
        assert server.returncode is None
    family = psutil.Process(server.pid).children(recursive=True)
    assert len(family) == 2
    server.kill()
    await server.wait()
    for member in family:
        await until(lambda member=member: gone(member))


async def started_without_end(zygote: zygote_process.ZygoteProcess) -> None:
    """Job after job."""
    while True:
        (await zygote.start(f"{JOBS}:copy", 1, Limits())).close()


def zygotes() -> list[psutil.Process]:
    """Zygotes of this process."""
    own = psutil.Process(os.getpid()).children()
    return [p for p in own if "servers.runtime.limited.zygote" in " ".join(p.cmdline())]


def children() -> list[psutil.Process]:
    """Jobs under way."""
    return [job for zygote in zygotes() for job in zygote.children()]


async def gone(process: psutil.Process) -> bool:
    """Whether a process is no more."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
