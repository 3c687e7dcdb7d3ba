"""Objects through obstore: a folder, S3, Google Cloud Storage or Azure, by URL."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path
from urllib.parse import unquote, urlsplit

import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from kari.errors.v1.errors_pb2 import Reason
from servers.file_attachment.reserve import Reserve
from servers.runtime.chunk import Piece
from servers.runtime.errors import NotFound, Unavailable
from servers.runtime.settings import Settings

FOLDER = "objects"
STALE_SECONDS = 600.0
"""A write takes seconds: what is staged for so long was left by a process that died."""

log = structlog.get_logger("kari.file_attachment")


class StoredObjects:
    """One store; `folder` is where it lies if that is a folder of this machine, with a `reserve` of
    its disk."""

    def __init__(
        self, store: ObjectStore, folder: Path | None = None, reserve: Reserve | None = None
    ) -> None:
        self._store = store
        self._folder = folder
        self._reserve = reserve

    async def put(self, key: str, pieces: Sequence[Piece]) -> None:
        """Keeps an object of these pieces, which are not copied on the way. A folder's file is on
        the disk when this returns, and the folders that lead to it: the operating system alone
        would lose them with the power."""
        async with self._room(sum(map(len, pieces))):
            await self._put(key, pieces)

    def _room(self, size: int) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._reserve is None else self._reserve.holding(size)

    async def _put(self, key: str, pieces: Sequence[Piece]) -> None:
        with _our_errors():
            await self._store.put_async(key, list(pieces), use_multipart=False)
            if self._folder is not None:
                await asyncio.to_thread(_flush, self._folder, key)

    async def read(self, key: str, start: int, length: int) -> bytes:
        """Bytes of an object."""
        with _our_errors():
            return bytes(await self._store.get_range_async(key, start=start, length=length))

    async def names(self, prefix: str) -> frozenset[str]:
        """What is there below a prefix."""
        found = set[str]()
        with _our_errors():
            async for some in self._store.list(prefix=prefix):
                found.update(str(each["path"]).removeprefix(prefix) for each in some)
        return frozenset(found)

    async def drop(self, key: str) -> None:
        """Erases one object."""
        with _our_errors(), suppress(FileNotFoundError):
            await self._store.delete_async([key])

    async def erase(self, prefix: str) -> None:
        """Erases all objects below a prefix. Of a folder all there is: what was staged is in no
        listing."""
        with _our_errors():
            if self._folder is not None:
                await asyncio.to_thread(_remove, self._folder / prefix)
                return
            async for found in self._store.list(prefix=prefix):
                for each in found:
                    with suppress(FileNotFoundError):  # another process erases it as well
                        await self._store.delete_async([each["path"]])

    async def tidy(self) -> None:
        """Erases what was staged and left in a folder; other stores have no such thing."""
        if self._folder is not None:
            with _our_errors():
                await asyncio.to_thread(_sweep, self._folder, time.time() - STALE_SECONDS)

    async def ping(self) -> None:
        """Lists a page: cheap, and needs the right to read."""
        with _our_errors():
            async for _ in self._store.list(prefix="-", chunk_size=1):
                break


@asynccontextmanager
async def open_objects(settings: Settings) -> AsyncIterator[StoredObjects]:
    """The store of the settings: that of KARI_OBJECTS_URL, or a folder in the data folder."""
    folder = _folder_of(settings)
    if folder is None:
        yield StoredObjects(from_url(_url_of(settings)))
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    reserve = Reserve(folder, settings.objects_reserve_bytes)
    yield StoredObjects(LocalStore(folder), folder, reserve)


@asynccontextmanager
async def open_room(settings: Settings) -> AsyncIterator[Reserve | None]:
    """The reserve of the disk, to ask whether there is room; None for stores that have none."""
    folder = _folder_of(settings)
    if folder is None:
        yield None
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield Reserve(folder, settings.objects_reserve_bytes)


def _url_of(settings: Settings) -> str:
    return settings.objects_url.get_secret_value() if settings.objects_url is not None else ""


def _folder_of(settings: Settings) -> Path | None:
    """Where the objects lie, if that is a folder of this machine."""
    url = _url_of(settings)
    if not url:
        return settings.data.absolute() / FOLDER
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _flush(folder: Path, key: str) -> None:
    """Flushes a file, the folder that names it, and those above that may be new with it."""
    path = folder / key
    for each in (path, *path.parents):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if each == folder:
            return


def _remove(path: Path) -> None:
    """Until there is nothing left: `rmtree` stops at a file that vanishes under it, as one does
    that an upload is still putting into its place."""
    while path.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(path)


def _sweep(folder: Path, before: float) -> None:
    """obstore stages a file as `name#1` beside its place; no part has such a name."""
    for path in folder.glob("*/*/*#*"):
        with suppress(FileNotFoundError):  # it is in its place by now
            if path.stat().st_mtime < before:
                path.unlink()
                log.info("staged part removed", bytes_of=path.parent.name)


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(Reason.REASON_FILE_NOT_FOUND, "the bytes of this file are gone") from error
    except (BaseError, OSError) as error:
        raise Unavailable(
            Reason.REASON_STORE_UNAVAILABLE,
            "the store of files does not answer, or is full; try again later",
            store="objects",
            retry_after=5.0,
        ) from error
