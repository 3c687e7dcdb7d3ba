"""Stream processor over gRPC: translates only."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.stream_processor.v1.stream_processor_pb2 import (
    AppendRequest,
    AppendResponse,
    FollowRequest,
    FollowResponse,
    OpenRequest,
    OpenResponse,
)
from kari.stream_processor.v1.stream_processor_pb2_grpc import StreamProcessorServiceServicer
from servers.runtime.call import current, principal
from servers.runtime.grpc_types import Context
from servers.stream_processor.journal import StreamKey
from servers.stream_processor.readers import Readers
from servers.stream_processor.sequence import position
from servers.stream_processor.streams import Streams


class StreamProcessor(StreamProcessorServiceServicer):
    """Carries events from the one who makes them to all who read them."""

    def __init__(self, streams: Streams, readers: Readers) -> None:
        self._streams = streams
        self._readers = readers

    async def Open(self, request: OpenRequest, context: Context) -> OpenResponse:
        """Opens or takes over a stream; see the contract."""
        opened = await self._streams.open(
            _key(request.stream_id), request.first_events, current().correlation_id
        )
        mark = opened.mark
        missing = Degradation(feature=Feature.FEATURE_RESUME, cause="redis")
        return OpenResponse(
            position=position(request.stream_id, mark.epoch, mark.seq),
            next_index=mark.index + 1,
            text=opened.text,
            ended=mark.ended,
            degradations=[] if opened.durable else [missing],
        )

    async def Append(self, request: AppendRequest, context: Context) -> AppendResponse:
        """Adds events once; see the contract."""
        mark = await self._streams.append(
            _key(request.stream_id), request.first_index, request.events, current().correlation_id
        )
        return AppendResponse(position=position(request.stream_id, mark.epoch, mark.seq))

    async def Follow(
        self, request: FollowRequest, context: Context
    ) -> AsyncGenerator[FollowResponse, None]:
        """Replays, then goes on live; see the contract."""
        after = request.after if request.HasField("after") else None
        async with aclosing(self._readers.follow(_key(request.stream_id), after)) as events:
            async for event in events:
                yield FollowResponse(event=event)


def _key(stream_id: str) -> StreamKey:
    return StreamKey(principal().tenant_id, stream_id)
