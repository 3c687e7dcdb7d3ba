"""A whole Kari on a small disk that fills up: it lives on, and room is made through it."""

import io
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from kari.conversation_models.v1.file_pb2 import FileState
from servers.runtime.ids import new_id
from tests.flow.conftest import models_file
from tests.flow.files import Drawer, settled
from tests.hosting import until
from tests.running import Kari
from tests.socket_client import login, opened
from tests.upstream.server import Upstream

MEBIBYTE = 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """One that is just large enough for a first start."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=640m", "tmpfs", disk], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {made.stderr.decode().strip()}")
    disk.chmod(0o755)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest_asyncio.fixture
async def kari(small_disk: Path, tmp_path: Path, upstream: Upstream) -> AsyncIterator[Kari]:
    """One that runs on it."""
    kari = Kari.at(small_disk / "data", KARI_MODELS_FILE=str(models_file(tmp_path, upstream)))
    await kari.start()
    try:
        yield kari
    finally:
        await kari.stop()


async def test_uploads_do_not_take_the_last_of_a_disk_and_room_is_made_by_removing_files(
    small_disk: Path, kari: Kari
) -> None:
    """Turns are answered meanwhile, operators are told, and it starts with the little that is
    left."""
    leave(small_disk, 80)
    drawer = Drawer(kari, await login(kari))
    async with opened(kari, await login(kari)) as client:
        first = await settled(client, await drawer.upload("first.bin", noise(24)))
        assert first.state == FileState.FILE_STATE_READY
        form = {"file": io.BytesIO(noise(40))}
        status, body = await drawer.request("POST", "/v1/files", data=form)
        assert (status, body["reason"]) == (503, "REASON_STORE_UNAVAILABLE")
        assert "nearly full" in body["message"]
        assert body["retryable"]
        await until(lambda: told(drawer, small_disk))
        _, events = await client.turn("Is anybody there?")
        assert events[-1].HasField("completed")
    assert await kari.stop() == 0
    await kari.start()
    assert any(line.startswith("only ") for line in kari.printed), kari.printed
    status, _ = await drawer.request("DELETE", f"/v1/files/{first.id}")
    assert status == 200
    await until(lambda: taken_in(drawer))


def noise(mebibytes: int) -> bytes:
    """So much that nobody has yet."""
    return secrets.token_bytes(mebibytes * MEBIBYTE)


def leave(disk: Path, mebibytes: int) -> None:
    """Writes a file that leaves so much of a disk, if there is more."""
    more = shutil.disk_usage(disk).free - mebibytes * MEBIBYTE
    if more > 0:
        (disk / new_id("ballast")).write_bytes(bytes(more))


async def taken_in(drawer: Drawer) -> bool:
    """Whether there is room for a file."""
    form = {"file": io.BytesIO(noise(8))}
    return (await drawer.request("POST", "/v1/files", data=form))[0] == 201


async def told(drawer: Drawer, disk: Path) -> bool:
    """Whether readiness names what is missing, as soon as no more than the reserve is left: what
    was refused is erased meanwhile."""
    leave(disk, 34)
    status, body = await drawer.request("GET", "/readyz")
    return status == 200 and {"feature": "FEATURE_UPLOADS", "cause": "objects"} in body["degraded"]
