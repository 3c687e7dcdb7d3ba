"""Files of whose text there are pieces, as the hooks hand them in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kari.conversation_models.v1.file_pb2 import Anchor, TextChunk
from kari.production_memory.v1 import production_memory_pb2 as contract
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.runtime.ids import new_id
from servers.wiring import Wiring

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )


def pieces(*texts: str, first: int = 0) -> list[TextChunk]:
    """Pieces of these texts, each on a page of its own."""
    return [
        TextChunk(index=first + at, text=text, anchor=Anchor(page=first + at + 1))
        for at, text in enumerate(texts)
    ]


def memory_of(wiring: Wiring) -> "ProductionMemoryServiceAsyncStub":
    """Production memory as the hooks call it."""
    return wiring.stub("hook_enabled_file", "production_memory", ProductionMemoryServiceStub)


async def indexed(
    wiring: Wiring,
    *texts: str,
    name: str = "report.pdf",
    conversation_id: str = "",
    file_id: str = "",
    chunks: Sequence[TextChunk] = (),
) -> str:
    """A file with these pieces; its id."""
    file_id = file_id or new_id("file")
    await memory_of(wiring).IndexFile(
        contract.IndexFileRequest(
            file_id=file_id,
            name=name,
            conversation_id=conversation_id,
            chunks=chunks or pieces(*texts),
        )
    )
    return file_id


async def untexted(wiring: Wiring, file_id: str) -> None:
    """Says of a file that it has no text."""
    request = contract.IndexFileRequest(file_id=file_id, name="sea.png")
    await memory_of(wiring).IndexFile(request)


async def shared(wiring: Wiring, conversation_id: str, *file_ids: str) -> None:
    """Ties files to a conversation."""
    await memory_of(wiring).ShareFiles(
        contract.ShareFilesRequest(file_ids=file_ids, conversation_id=conversation_id)
    )


async def dropped(wiring: Wiring, file_id: str) -> int:
    """Drops a file; the number of its pieces."""
    response = await memory_of(wiring).DropFile(contract.DropFileRequest(file_id=file_id))
    return response.chunks


async def chunks_of(wiring: Wiring, file_id: str, **fields: Any) -> contract.GetFileChunksResponse:
    """Pieces of a file, as far as the caller may read them."""
    return await memory_of(wiring).GetFileChunks(
        contract.GetFileChunksRequest(file_id=file_id, **fields)
    )
