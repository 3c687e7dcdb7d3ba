"""A multimedia server that sees the same in every picture: what it can is tested elsewhere."""

from collections.abc import AsyncIterator

import grpc

from kari.conversation_models.v1.file_pb2 import Anchor, TextChunk
from kari.errors.v1.errors_pb2 import Reason
from kari.multimedia.v1 import multimedia_pb2 as media
from kari.multimedia.v1.multimedia_pb2_grpc import (
    MultimediaServiceServicer,
    add_MultimediaServiceServicer_to_server,
)
from servers.runtime.bootstrap import Hosted
from servers.runtime.errors import RateLimited
from servers.wiring import contract_of

BUSY = "file_" + "b" * 32
"""A file before which others come."""
WHOLE = "file_" + "c" * 32
"""A file whose text is read to its end."""
LATE = "file_" + "d" * 32
"""A picture whose caption comes when it is asked for alone."""
NEVER = "file_" + "e" * 32
"""A picture whose caption is always to come later."""


class _Multimedia(MultimediaServiceServicer):
    async def Describe(  # noqa: N802
        self, request: media.DescribeRequest, context: object
    ) -> AsyncIterator[media.DescribeResponse]:
        assert request.caption
        if request.file_id == BUSY:
            raise RateLimited(Reason.REASON_MEDIA_BUSY, "others are read first")
        if not request.ocr:
            assert request.file_id in (LATE, NEVER)
            yield media.DescribeResponse(description=_caption(request.file_id))
            return
        yield media.DescribeResponse(progress=0.5)
        description = media.Description(
            chunks=[TextChunk(text="A sign says: open at nine.", anchor=Anchor(line=1))],
            warnings=[] if request.file_id == WHOLE else ["one word was not read"],
            no_caption_because="no caption: nobody answers",
            caption_later=request.file_id in (LATE, NEVER),
        )
        description.metadata["width"] = 40
        yield media.DescribeResponse(description=description)

    async def ListReaders(  # noqa: N802
        self, request: media.ListReadersRequest, context: object
    ) -> media.ListReadersResponse:
        caption = media.Reader(name="caption", unavailable_because="no model sees")
        return media.ListReadersResponse(readers=[caption])


def _caption(file_id: str) -> media.Description:
    if file_id == NEVER:
        return media.Description(no_caption_because="no caption: still nobody", caption_later=True)
    shown = TextChunk(text="What the picture shows: a shop.", anchor=Anchor(page=1))
    description = media.Description(chunks=[shown])
    description.metadata["caption"] = "a shop"
    return description


def multimedia() -> Hosted:
    """The stand-in, ready to be served."""

    def register(server: grpc.aio.Server) -> None:
        add_MultimediaServiceServicer_to_server(_Multimedia(), server)

    return Hosted("multimedia", contract_of("multimedia"), register)
