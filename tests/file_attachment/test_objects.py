"""Every store of objects does the same: a folder, memory, an S3, each by its URL."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
import pytest_asyncio
from obstore.store import LocalStore, MemoryStore
from pydantic import SecretStr

from kari.errors.v1.errors_pb2 import Reason
from servers.file_attachment.store_objects import STALE_SECONDS, StoredObjects, open_objects
from servers.runtime.errors import NotFound, Unavailable
from servers.runtime.settings import Settings
from tests.file_attachment.s3 import BUCKET, S3, serving_s3


@pytest_asyncio.fixture(loop_scope="session")
async def s3(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3]:
    """An S3, and the variables with which its users name it."""
    async with serving_s3() as running:
        for name, value in (
            ("AWS_ENDPOINT_URL", running.endpoint),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "ada"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "nowhere"),
        ):
            monkeypatch.setenv(name, value)
        yield running


@pytest_asyncio.fixture(loop_scope="session", params=["folder", "file", "memory", "s3"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, s3: S3
) -> AsyncIterator[StoredObjects]:
    """A store of each kind."""
    urls = {
        "folder": None,
        "file": SecretStr(f"{(tmp_path / 'else where').as_uri()}"),
        "s3": SecretStr(f"s3://{BUCKET}/below"),
    }
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield StoredObjects(MemoryStore())
        else:
            settings = Settings(data=tmp_path, objects_url=urls[request.param])
            yield await stack.enter_async_context(open_objects(settings))


async def test_what_is_put_is_read_in_parts(store: StoredObjects) -> None:
    """The last to put an object wins."""
    await store.ping()
    await store.put("tenant/file/000000-a", [b"before"])
    await store.put("tenant/file/000000-a", [b"0123456789"])
    assert await store.read("tenant/file/000000-a", 0, 10) == b"0123456789"
    assert await store.read("tenant/file/000000-a", 3, 4) == b"3456"


async def test_what_is_not_there_is_not_found(store: StoredObjects) -> None:
    """A part that is behind the end is a defect, and told as one of the store."""
    with pytest.raises(NotFound):
        await store.read("tenant/file/none", 0, 1)
    await store.put("tenant/file/short", [b"x"])
    with pytest.raises(Unavailable):
        await store.read("tenant/file/short", 5, 1)


async def test_a_prefix_is_erased_and_nothing_else(store: StoredObjects) -> None:
    """Again and again; one object as well."""
    for key in ("t/one/0", "t/one/1", "t/two/0", "t/two/1", "t/one-more/0"):
        await store.put(key, [b"x"])
    for _ in range(2):
        await store.erase("t/one/")
        await store.drop("t/two/1")
    for gone in ("t/one/0", "t/one/1", "t/two/1"):
        with pytest.raises(NotFound):
            await store.read(gone, 0, 1)
    assert await store.read("t/two/0", 0, 1) == await store.read("t/one-more/0", 0, 1) == b"x"
    await store.tidy()


async def test_a_full_store_may_be_tried_again(s3: S3, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, objects_url=SecretStr(f"s3://{BUCKET}/below"))
    async with open_objects(settings) as store:
        s3.full = True
        with pytest.raises(Unavailable) as caught:
            await store.put("t/one/0", [b"x"])
        assert (caught.value.reason, caught.value.may_retry) == (
            Reason.REASON_STORE_UNAVAILABLE,
            True,
        )
        s3.full = False
        await store.put("t/one/0", [b"x"])
    assert s3.objects == {"below/t/one/0": b"x"}


async def test_a_folder_is_erased_with_what_was_staged(tmp_path: Path) -> None:
    """No listing has it."""
    store = StoredObjects(LocalStore(tmp_path), tmp_path)
    await store.put("t/one/000000-a", [b"x"])
    (tmp_path / "t/one/000001-a#1").write_bytes(b"half a part")
    await store.erase("t/one/")
    assert not (tmp_path / "t/one").exists()


async def test_an_erasure_that_meets_writes_leaves_nothing(tmp_path: Path) -> None:
    """Files come to their place, under another name, while the folder is being emptied."""
    settings = Settings(data=tmp_path)
    async with open_objects(settings) as objects:
        for round_ in range(20):
            puts = [objects.put(f"tenant/file/{n:06}-{round_}", [b"x" * 10_000]) for n in range(40)]
            await asyncio.gather(*puts[:20])
            writing = asyncio.gather(*puts[20:], return_exceptions=True)
            await asyncio.sleep(0.001 * (round_ % 5))
            with suppress(Unavailable):  # it is tried again later
                await objects.erase("tenant/file")
            await writing
            await objects.erase("tenant/file")
            assert not list((tmp_path / "objects").rglob("*file/*"))


async def test_what_was_staged_long_ago_is_swept_away(tmp_path: Path) -> None:
    """Not what another process may be writing; what is in its place stays."""
    store = StoredObjects(LocalStore(tmp_path), tmp_path)
    await store.put("t/one/000000-a", [b"kept"])
    old, new = tmp_path / "t/one/000001-a#1", tmp_path / "t/one/000001-b#1"
    for staged in (old, new):
        staged.write_bytes(b"half a part")
    long_ago = time.time() - STALE_SECONDS - 1
    os.utime(old, (long_ago, long_ago))
    await store.tidy()
    assert (old.exists(), new.exists()) == (False, True)
    assert await store.read("t/one/000000-a", 0, 4) == b"kept"
