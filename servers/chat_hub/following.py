"""Following a turn to its end, whatever happens to the stream on the way."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

import grpc
import structlog
from prometheus_client import Counter

from kari.chat_hub.v1.chat_hub_pb2 import FollowTurnResponse, Resync
from kari.conversation_manager.v1.conversation_manager_pb2 import GetTurnRequest, GetTurnResponse
from kari.conversation_models.v1.turn_pb2 import StreamPosition, TurnEvent
from kari.errors.v1.errors_pb2 import Reason
from kari.stream_processor.v1.stream_processor_pb2 import FollowRequest
from servers.chat_hub.admitted import Admitted
from servers.chat_hub.endings import end_of, is_over
from servers.chat_hub.pauses import growing_pauses
from servers.chat_hub.waiting import Waiting
from servers.runtime.call import principal
from servers.runtime.errors import CalledOff, KariError, from_rpc
from servers.runtime.labelled import labelled

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )
    from kari.stream_processor.v1.stream_processor_pb2_grpc import StreamProcessorServiceAsyncStub

AGAIN = Counter(
    "kari_chat_follow_again_total", "Times that a stream had to be followed again.", ("cause",)
)
TRIES = 4
"""How often in a row a stream that cannot be reached is tried before a turn that is over is told
from storage instead."""

SILENCE_SECONDS = 15.0

log = structlog.get_logger("kari.chat_hub")


class Following:
    """Follows turns for clients."""

    def __init__(
        self,
        conversations: "ConversationManagerServiceAsyncStub",
        streams: "StreamProcessorServiceAsyncStub",
        admitted: Admitted,
        pauses: Callable[[], Iterator[float]] = growing_pauses,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        """`pauses` gives the seconds to wait between tries; `silence` is how long a stream may say
        nothing before storage is asked whether the turn is over."""
        self._silence = silence
        self._admitted = admitted
        self._conversations = conversations
        self._streams = streams
        self._pauses = pauses

    async def follow(
        self, turn_id: str, after: StreamPosition | None
    ) -> AsyncGenerator[FollowTurnResponse, None]:
        """The events behind a place (None: all) to the last one, without gap or repeat. A reader
        whose place is gone is told so and begins anew. The last one is an end, always. NotFound if
        the caller may not see it."""
        if not self._admitted.has(principal(), turn_id):
            await self._stored(turn_id)
        place, pauses, failures = after, self._pauses(), 0
        while True:
            try:
                async with aclosing(self._events(turn_id, place)) as events:
                    async for event in events:
                        yield FollowTurnResponse(turn_event=event)
                        place, pauses, failures = event.position, self._pauses(), 0
                if place is not None and place is after:
                    # The reader has seen everything: every answer ends with an end, this one too.
                    yield FollowTurnResponse(turn_event=end_of(await self._stored(turn_id), place))
                return
            except KariError as error:
                gone = _is_gone(error)
            except TimeoutError:
                # The last event is lost if the orchestrator died between the commit and telling it.
                stored = await self._stored(turn_id)
                if is_over(stored.turn):
                    yield FollowTurnResponse(turn_event=end_of(stored))
                    return
                continue
            stored, failures = await self._stored(turn_id), failures + 1
            lost = gone or (failures > TRIES and is_over(stored.turn))
            if lost and place is not None:
                yield FollowTurnResponse(resync=Resync(turn=stored.turn, recovered=False))
                place = None
            elif lost and is_over(stored.turn):
                yield FollowTurnResponse(turn_event=end_of(stored))
                return
            else:
                await asyncio.sleep(next(pauses))

    async def _events(
        self, turn_id: str, place: StreamPosition | None
    ) -> AsyncGenerator[TurnEvent, None]:
        call = self._streams.Follow(FollowRequest(stream_id=turn_id, after=place))
        responses = aiter(call)
        waiting = Waiting()
        try:
            while True:
                response = await waiting.wait(anext(responses), self._silence)
                yield response.event
        except StopAsyncIteration:
            return
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            waiting.close()
            call.cancel()

    async def _stored(self, turn_id: str) -> GetTurnResponse:
        return await self._conversations.GetTurn(GetTurnRequest(turn_id=turn_id))


def _is_gone(error: KariError) -> bool:
    """True if the reader's place is gone, false if it is worth another try. Raises what no try can
    mend."""
    gone = error.reason == Reason.REASON_STREAM_NOT_FOUND
    # A stream processor that is stopped cancels its streams: nobody else does from outside.
    if not gone and not error.may_retry and not isinstance(error, CalledOff):
        raise error
    labelled(AGAIN, Reason.Name(error.reason)).inc()
    log.info("stream is followed again", cause=Reason.Name(error.reason))
    return gone
