"""The disk under uploads: full, and in the hands of a process that was killed."""

import asyncio
import hashlib
import os
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from cli.doctor import Finding, State, objects
from embedded.stores import EmbeddedStores
from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1 import file_attachment_pb2 as contract
from servers.runtime.keys import ensure_keys
from servers.runtime.settings import Settings
from servers.wiring import Wiring
from tests.cli.test_serve import serve
from tests.file_attachment.attachment import Attachment, steps
from tests.file_attachment.test_uploads import objects_are
from tests.hosting import Somebody, hosting, settings_for, until
from tests.production_memory.memory import refusal
from tests.running import free_block


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose objects lie on a disk of 24 MiB."""
    disk = tmp_path / "objects"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {made.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", disk], check=True)


async def test_an_upload_goes_on_when_a_full_disk_has_room(
    stores: EmbeddedStores, small_disk: Path
) -> None:
    """What is safe stays, and is told; nothing half written takes the last of the room."""
    ballast = small_disk / "objects" / "ballast"
    ballast.write_bytes(bytes(10 * 2**20))
    data, mine = secrets.token_bytes(20 * 2**20), Somebody()
    async with hosting(settings_for(stores, small_disk), "file_attachment") as wiring:
        attachment = Attachment(wiring, mine)
        with mine.acts(wiring):
            refused = await refusal(attachment.send(data, request_id="up", size_bytes=len(data)))
            assert (refused.reason, refused.retryable) == (Reason.REASON_STORE_UNAVAILABLE, True)
            asked = contract.GetUploadRequest(request_id="up")
            safe = (await attachment.stub.GetUpload(asked)).received_bytes
            assert safe == 12 * 2**20
            assert sum(each.stat().st_size for each in attachment.objects()) == safe
            ballast.unlink()
            done = await attachment.send(data[safe:], request_id="up", offset=safe)
            assert done.file.sha256 == hashlib.sha256(data).hexdigest()
            assert await attachment.download(done.file.id, for_hooks=True) == data


async def test_uploads_leave_a_reserve_of_the_disk_to_everything_else(
    stores: EmbeddedStores, small_disk: Path
) -> None:
    """Refused before the disk is full, and told by health; what is deleted makes room, and the
    upload goes on where it was."""
    disk, data, mine = small_disk / "objects", secrets.token_bytes(20 * 2**20), Somebody()
    rest = disk / "rest"  # what else is kept on this disk
    settings = settings_for(stores, small_disk).model_copy(
        update={"objects_reserve_bytes": 6 * 2**20}
    )
    async with hosting(settings, "file_attachment") as wiring:
        attachment = Attachment(wiring, mine)
        with mine.acts(wiring):
            first = await attachment.ready(data[: 8 * 2**20])
            assert await room_by_health(attachment)  # 10 MiB beside the reserve
            assert (await found_by_doctor(attachment)).state is State.OK
            refused = await refusal(attachment.send(data, request_id="up", size_bytes=len(data)))
            assert (refused.reason, refused.retryable) == (Reason.REASON_STORE_UNAVAILABLE, True)
            assert "nearly full" in refused.message
            rest.write_bytes(bytes(6 * 2**20))  # there is room for it, to the last byte
            await until(lambda: no_room_by_health(attachment))
            finding = await found_by_doctor(attachment)
            assert finding.state is State.DEGRADED
            assert "nearly full" in finding.note
            asked = contract.GetUploadRequest(request_id="up")
            safe = (await attachment.stub.GetUpload(asked)).received_bytes
            assert safe == 8 * 2**20
            rest.unlink()
            await attachment.stub.DeleteFile(contract.DeleteFileRequest(file_id=first.id))
            await until(lambda: objects_are(attachment, 2))
            more = await attachment.send(
                data[safe : 16 * 2**20], request_id="up", offset=safe, partial=True
            )
            assert more.received_bytes == 16 * 2**20


async def room_by_health(attachment: Attachment) -> bool:
    """Whether files can be taken in, by the server's health, which is looked at now and then."""
    return await told(attachment, "store.objects.room") == HealthCheckResponse.SERVING


async def no_room_by_health(attachment: Attachment) -> bool:
    """Whether it says that they cannot, of all of the store as well."""
    names = ("store.objects.room", "store.objects")
    found = [await told(attachment, name) for name in names]
    return found == [HealthCheckResponse.NOT_SERVING] * 2


def channel_to(attachment: Attachment) -> grpc.aio.Channel:
    """One as anybody has it."""
    return grpc.aio.insecure_channel(f"127.0.0.1:{attachment.wiring.settings.grpc_port}")


async def told(attachment: Attachment, service: str) -> int:
    """The health of a part of the server."""
    async with channel_to(attachment) as channel:
        stub: Any = HealthStub(channel)  # its stubs know the synchronous one only
        return int((await stub.Check(HealthCheckRequest(service=service))).status)


async def found_by_doctor(attachment: Attachment) -> Finding:
    """What `kari doctor` says of the store."""
    async with channel_to(attachment) as channel:
        finding = await objects(channel)
    assert finding is not None
    return finding


async def test_a_killed_server_leaves_nothing_that_cannot_be_erased(
    stores: EmbeddedStores, tmp_path: Path
) -> None:
    """It dies in the middle of writing a part; the upload is given up then."""
    mine = Somebody()
    settings = settings_for(stores, tmp_path).model_copy(update={"grpc_port": free_block(1)})
    wiring = Wiring(settings, ensure_keys(settings))
    attachment, data = Attachment(wiring, mine), secrets.token_bytes(60 * 2**20)
    with mine.acts(wiring):
        while not (left := staged(tmp_path)):
            await die_over(attachment, data)
        async with server(attachment):
            offset = await until(lambda: safe_bytes(attachment), 90)
            start = contract.UploadStart(request_id="up", offset=offset - 1)
            discard = contract.UploadEnd(discard=True)
            await attachment.stub.Upload(steps(start, b"", discard))
            await until(lambda: objects_are(attachment, 0))
            assert not any(each.exists() for each in left)
    await wiring.close()


async def die_over(attachment: Attachment, data: bytes) -> None:
    """Kills a server as soon as it stages a part."""
    async with server(attachment) as process:
        offset = await until(lambda: safe_bytes(attachment), 90) - 1
        killing = asyncio.create_task(asyncio.to_thread(kill, process.pid, attachment))
        start = contract.UploadStart(request_id="up", offset=offset)
        call = attachment.stub.Upload(steps(start, data, contract.UploadEnd(partial=True)))
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        await killing


async def safe_bytes(attachment: Attachment) -> int:
    """One more than the bytes that are safe of the upload; 0 while its server does not answer."""
    try:
        asked = contract.GetUploadRequest(request_id="up")
        return (await attachment.stub.GetUpload(asked)).received_bytes + 1
    except grpc.aio.AioRpcError as error:
        return int(error.code() is grpc.StatusCode.NOT_FOUND)


def kill(pid: int, attachment: Attachment) -> None:
    """Kills a process when a part is staged."""
    while not staged(attachment.wiring.settings.data):
        pass
    os.kill(pid, signal.SIGKILL)


def staged(data: Path) -> list[Path]:
    """What is written and not in its place yet."""
    return list((data / "objects").glob("*/*/*#*"))


@asynccontextmanager
async def server(attachment: Attachment) -> AsyncIterator[asyncio.subprocess.Process]:
    """`kari serve file_attachment` in a process of its own, dead at the end."""
    settings: Settings = attachment.wiring.settings
    assert settings.postgres_url is not None
    process = await serve(
        settings.data,
        "file_attachment",
        KARI_GRPC_PORT=str(settings.grpc_port),
        KARI_POSTGRES_URL=settings.postgres_url.get_secret_value(),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
