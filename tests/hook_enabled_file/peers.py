"""Stand-ins, as real servers, for peers whose own tests are elsewhere: they keep what they are
told."""

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial

import grpc

from kari.conversation_models.v1.file_pb2 import Anchor, TextChunk
from kari.multimedia.v1 import multimedia_pb2 as media
from kari.multimedia.v1.multimedia_pb2_grpc import (
    MultimediaServiceServicer,
    add_MultimediaServiceServicer_to_server,
)
from kari.production_memory.v1 import production_memory_pb2 as memory
from kari.production_memory.v1.production_memory_pb2_grpc import (
    ProductionMemoryServiceServicer,
    add_ProductionMemoryServiceServicer_to_server,
)
from servers.runtime.bootstrap import Hosted
from servers.wiring import contract_of


@dataclass
class Told:
    """What peers were told, by file."""

    indexed: dict[str, dict[int, TextChunk]] = field(default_factory=lambda: defaultdict(dict))
    shared: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    dropped: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)


class _Memory(ProductionMemoryServiceServicer):
    def __init__(self, told: Told) -> None:
        self._told = told

    async def IndexFile(  # noqa: N802  # the contract's name
        self, request: memory.IndexFileRequest, context: object
    ) -> memory.IndexFileResponse:
        kept = self._told.indexed[request.file_id]
        kept.update({chunk.index: chunk for chunk in request.chunks})
        return memory.IndexFileResponse(chunks=len(kept))

    async def ShareFiles(  # noqa: N802
        self, request: memory.ShareFilesRequest, context: object
    ) -> memory.ShareFilesResponse:
        for file_id in request.file_ids:
            self._told.shared[file_id].add(request.conversation_id)
        return memory.ShareFilesResponse()

    async def DropFile(  # noqa: N802
        self, request: memory.DropFileRequest, context: object
    ) -> memory.DropFileResponse:
        self._told.dropped.append(request.file_id)
        return memory.DropFileResponse(chunks=len(self._told.indexed.pop(request.file_id, {})))


class _Multimedia(MultimediaServiceServicer):
    def __init__(self, told: Told) -> None:
        self._told = told

    async def Describe(  # noqa: N802
        self, request: media.DescribeRequest, context: object
    ) -> AsyncIterator[media.DescribeResponse]:
        self._told.described.append(request.file_id)
        yield media.DescribeResponse(progress=0.5)
        description = media.Description(
            chunks=[TextChunk(text="A sign says: open at nine.", anchor=Anchor(line=1))],
            warnings=["no model that sees is configured"],
        )
        description.metadata["width"] = 40
        yield media.DescribeResponse(description=description)


def peers(told: Told) -> list[Hosted]:
    """The stand-ins, ready to be served."""

    def memory_of(server: grpc.aio.Server) -> None:
        add_ProductionMemoryServiceServicer_to_server(_Memory(told), server)

    def media_of(server: grpc.aio.Server) -> None:
        add_MultimediaServiceServicer_to_server(_Multimedia(told), server)

    return [
        Hosted("production_memory", contract_of("production_memory"), partial(memory_of)),
        Hosted("multimedia", contract_of("multimedia"), partial(media_of)),
    ]
