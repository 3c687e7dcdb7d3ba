"""Serving the bytes of files, from any place on."""

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
        """The file, then its bytes. A mebibyte at a time is read, when the reader wants it."""
        stored = await self._keeping.readable(
            request.file_id, who, request.conversation_id, for_hooks=request.for_hooks
        )
        size = stored.file.size_bytes
        length = _length(request.offset, request.length, size)
        yield DownloadResponse(file=stored.file)
        objects = await self._objects.get()
        for piece in stored.layout.pieces(request.offset, length):
            data = await objects.read(piece.key, piece.start, piece.length)
            SERVED.inc(len(data))
            yield DownloadResponse(data=data)


def _length(offset: int, length: int, size: int) -> int:
    """How many bytes are read; InvalidRequest if the first is behind the end."""
    if offset > size or (offset == size and size):
        raise InvalidRequest(
            Reason.REASON_FILE_RANGE,
            f"the file has {size} bytes: byte {offset} is not among them",
            size=size,
        )
    return min(length or size, size - offset)
