"""ClamAV: what it says, and what becomes of files while it is away."""

from pathlib import Path

import pytest

from kari.conversation_models.v1.file_pb2 import File
from servers.hook_enabled_file import plan
from servers.hook_enabled_file.clamav import ClamAV
from servers.hook_enabled_file.hooks import FAILED, GUARD, PASSED, REFUSED, Away, Looked
from servers.hook_enabled_file.scan import Scan
from servers.hook_enabled_file.trying import WAITS, Trying
from servers.runtime.limited import BytesSource, JobFailed, Room
from tests.hook_enabled_file import samples
from tests.hook_enabled_file.clamd import clamd
from tests.running import free_block

HARMLESS = BytesSource(b"harmless" * 1000)


def looked(data: bytes) -> Looked:
    """A file to be looked at."""
    return Looked(File(id="file_1", name="a", size_bytes=len(data)), BytesSource(data), "t")


async def test_a_virus_has_a_name() -> None:
    async with clamd() as url:
        scanner = ClamAV(url)
        await scanner.ping()
        assert await scanner.scan(BytesSource(samples.EICAR)) == "Eicar-Signature"
        assert await scanner.scan(HARMLESS) == ""
        assert await scanner.scan(BytesSource(b"")) == ""


@pytest.mark.parametrize("answer", ["stream: Can't allocate memory ERROR", "UNKNOWN COMMAND", " "])
async def test_an_answer_that_is_none_says_nothing_of_the_file(answer: str) -> None:
    async with clamd(answer) as url:
        with pytest.raises(Away):
            await ClamAV(url).scan(HARMLESS)


async def test_a_file_that_is_too_large_for_it_is_not_clean() -> None:
    async with clamd() as url:
        with pytest.raises(JobFailed) as failed:
            await ClamAV(url).scan(BytesSource(bytes(3_000_000)))
    assert "StreamMaxLength" in failed.value.sentence


async def test_it_is_away(tmp_path: Path) -> None:
    """By either kind of socket."""
    for url in (f"tcp://127.0.0.1:{free_block(1)}", f"unix://{tmp_path}/clamd.ctl"):
        with pytest.raises(Away):
            await ClamAV(url).scan(HARMLESS)
        with pytest.raises(Away):
            await ClamAV(url).ping()


async def test_scanning_asks_it_where_it_is_configured(room: Room) -> None:
    """The rules first: they cost less."""
    async with clamd("stream: Some.Virus FOUND") as url:
        scan = Scan(room, clamav=ClamAV(url))
        outcome = await scan.look(looked(b"harmless"))
        assert (outcome.verdict, outcome.record["scanner"]) == (REFUSED, "clamav")
        assert (await scan.look(looked(samples.EICAR))).record["scanner"] == "yara"


async def test_while_it_is_away_files_wait_then_are_refused(room: Room) -> None:
    """Not let through unseen."""
    scan = Scan(room, clamav=ClamAV(f"tcp://127.0.0.1:{free_block(1)}"))
    assert "hooks.scan.clamav" in await scan.unavailable()
    waiting, file = list[str](), looked(b"harmless")
    file.tell = waiting.append
    outcome = await Trying(lambda _: (0, 0)).look(scan, file)
    assert outcome.verdict == FAILED
    assert plan.refuses(scan, outcome)
    assert outcome.explanation.startswith("the virus scanner does not answer; nobody could look")
    assert waiting == [f"the virus scanner does not answer; {WAITS[GUARD]}"] * 2


async def test_when_it_comes_back_files_go_on(room: Room) -> None:
    port = free_block(1)
    scan, file = Scan(room, clamav=ClamAV(f"tcp://127.0.0.1:{port}")), looked(b"harmless")
    async with clamd() as url:
        came_back = Scan(room, clamav=ClamAV(url))
        with pytest.raises(Away):
            await scan.look(file)
        assert (await Trying(lambda _: (0,)).look(came_back, file)).verdict == PASSED
