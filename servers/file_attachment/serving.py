"""Serving the bytes of files, from any place on."""

import asyncio
from collections.abc import AsyncGenerator

from prometheus_client import Counter

from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import DownloadRequest, DownloadResponse
from servers.file_attachment.keeping import Keeping
from servers.file_attachment.store import Objects
from servers.runtime.call import Principal
from servers.runtime.errors import InvalidRequest
from servers.runtime.resources import Resource

SERVED = Counter("kari_chat_file_bytes_served_total", "Bytes of files that were served.")


class Serving:
    """Reads bytes for those who may."""

    def __init__(self, keeping: Keeping, objects: Resource[Objects]) -> None:
        self._keeping = keeping
        self._objects = objects

    async def read(
        self, request: DownloadRequest, who: Principal
    ) -> AsyncGenerator[DownloadResponse, None]:
        """The file, then its bytes: a mebibyte at a time, and the next one is read while the reader
        takes this one."""
        stored = await self._keeping.readable(
            request.file_id, who, request.conversation_id, for_hooks=request.for_hooks
        )
        size = stored.file.size_bytes
        length = _length(request.offset, request.length, size)
        yield DownloadResponse(file=stored.file)
        objects = await self._objects.get()
        reading: asyncio.Task[bytes] | None = None
        try:
            for piece in stored.layout.pieces(request.offset, length):
                ahead, reading = (
                    reading,
                    asyncio.create_task(objects.read(piece.key, piece.start, piece.length)),
                )
                if ahead is not None:
                    yield _piece(await ahead)
            if reading is not None:
                yield _piece(await reading)
        finally:
            if reading is not None:
                reading.cancel()


def _piece(data: bytes) -> DownloadResponse:
    SERVED.inc(len(data))
    return DownloadResponse(data=data)


def _length(offset: int, length: int, size: int) -> int:
    """How many bytes are read; InvalidRequest if the first is behind the end."""
    if offset > size or (offset == size and size):
        raise InvalidRequest(
            Reason.REASON_FILE_RANGE,
            f"the file has {size} bytes: byte {offset} is not among them",
            size=size,
        )
    return min(length or size, size - offset)
