"""Multimedia over gRPC: translates only."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from kari.multimedia.v1 import multimedia_pb2 as contract
from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceServicer
from servers.multimedia.describing import Describing
from servers.multimedia.readers import Readers
from servers.runtime.call import principal
from servers.runtime.grpc_types import Context

LONGEST_SIDE = 1568


class Multimedia(MultimediaServiceServicer):
    """Images, recordings and videos to text and facts; see the contract for every method."""

    def __init__(self, describing: Describing, readers: Readers) -> None:
        self._describing = describing
        self._readers = readers

    async def Describe(
        self, request: contract.DescribeRequest, context: Context
    ) -> AsyncIterator[contract.DescribeResponse]:
        """Text, places and facts of a file."""
        async with aclosing(self._describing.describe(request, principal())) as steps:
            async for step in steps:
                if isinstance(step, float):
                    yield contract.DescribeResponse(progress=step)
                else:
                    yield contract.DescribeResponse(description=step)

    async def PrepareImage(
        self, request: contract.PrepareImageRequest, context: Context
    ) -> contract.PrepareImageResponse:
        """An image as models see it; nothing for what is none, where that is asked."""
        side = request.longest_side or LONGEST_SIDE
        found = await self._describing.prepare(
            request.file_id, request.conversation_id, side, if_image=request.if_image
        )
        if found is None:
            return contract.PrepareImageResponse()
        name, sight = found
        return contract.PrepareImageResponse(
            data=sight.data,
            content_type=sight.content_type,
            width=sight.width,
            height=sight.height,
            name=name,
        )

    async def ListReaders(
        self, request: contract.ListReadersRequest, context: Context
    ) -> contract.ListReadersResponse:
        """What can be read here."""
        return contract.ListReadersResponse(readers=await self._readers.of(principal()))
