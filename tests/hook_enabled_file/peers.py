"""A multimedia server that sees the same in every picture: what it can is tested elsewhere."""

from collections.abc import AsyncIterator

import grpc

from kari.conversation_models.v1.file_pb2 import Anchor, TextChunk
from kari.multimedia.v1 import multimedia_pb2 as media
from kari.multimedia.v1.multimedia_pb2_grpc import (
    MultimediaServiceServicer,
    add_MultimediaServiceServicer_to_server,
)
from servers.runtime.bootstrap import Hosted
from servers.wiring import contract_of


class _Multimedia(MultimediaServiceServicer):
    async def Describe(  # noqa: N802
        self, request: media.DescribeRequest, context: object
    ) -> AsyncIterator[media.DescribeResponse]:
        assert not request.caption
        yield media.DescribeResponse(progress=0.5)
        description = media.Description(
            chunks=[TextChunk(text="A sign says: open at nine.", anchor=Anchor(line=1))],
            warnings=["one word was not read"],
        )
        description.metadata["width"] = 40
        yield media.DescribeResponse(description=description)

    async def ListReaders(  # noqa: N802
        self, request: media.ListReadersRequest, context: object
    ) -> media.ListReadersResponse:
        caption = media.Reader(name="caption", unavailable_because="no model sees")
        return media.ListReadersResponse(readers=[caption])


def multimedia() -> Hosted:
    """The stand-in, ready to be served."""

    def register(server: grpc.aio.Server) -> None:
        add_MultimediaServiceServicer_to_server(_Multimedia(), server)

    return Hosted("multimedia", contract_of("multimedia"), register)
