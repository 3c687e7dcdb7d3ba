"""Objects through obstore: a folder, S3, Google Cloud Storage or Azure, by URL."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import NotFound, Unavailable
from servers.runtime.settings import Settings

FOLDER = "objects"


class StoredObjects:
    """One store; `folder` is where it lies if that is a folder of this machine."""

    def __init__(self, store: ObjectStore, folder: Path | None) -> None:
        self._store = store
        self._folder = folder

    async def put(self, key: str, data: bytes) -> None:
        """Keeps an object. A folder's file is on the disk when this returns: the operating system
        alone would lose it with the power."""
        with _our_errors():
            await self._store.put_async(key, data)
            if self._folder is not None:
                await asyncio.to_thread(_flush, self._folder / key)

    async def read(self, key: str, start: int, length: int) -> bytes:
        """Bytes of an object."""
        with _our_errors():
            return bytes(await self._store.get_range_async(key, start=start, length=length))

    async def erase(self, prefix: str) -> None:
        """Erases all objects below a prefix."""
        with _our_errors():
            async for found in self._store.list(prefix=prefix):
                await self._store.delete_async([each["path"] for each in found])
        if self._folder is not None:
            with suppress(OSError):  # an empty folder is no harm
                (self._folder / prefix).rmdir()

    async def ping(self) -> None:
        """Lists a page: cheap, and needs the right to read."""
        with _our_errors():
            async for _ in self._store.list(prefix="-", chunk_size=1):
                break


@asynccontextmanager
async def open_objects(settings: Settings) -> AsyncIterator[StoredObjects]:
    """The store of the settings: that of KARI_OBJECTS_URL, or a folder in the data folder."""
    if settings.objects_url is not None:
        yield StoredObjects(from_url(settings.objects_url.get_secret_value()), None)
        return
    folder = settings.data.absolute() / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield StoredObjects(LocalStore(folder), folder)


def _flush(path: Path) -> None:
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
        ) from error
