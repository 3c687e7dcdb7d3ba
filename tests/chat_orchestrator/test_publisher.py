"""The writing end of a stream: in order, once, also where the stream forgets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from kari.conversation_models.v1.turn_pb2 import Completed, TextDelta, TurnEvent
from kari.errors.v1.errors_pb2 import Reason
from kari.stream_processor.v1.stream_processor_pb2 import (
    AppendRequest,
    AppendResponse,
    OpenRequest,
    OpenResponse,
)
from kari.stream_processor.v1.stream_processor_pb2_grpc import (
    StreamProcessorServiceServicer,
    StreamProcessorServiceStub,
    add_StreamProcessorServiceServicer_to_server,
)
from servers.chat_orchestrator.peers import Peers
from servers.chat_orchestrator.publisher import Publisher
from servers.runtime.bootstrap import Hosted
from servers.runtime.channels import Channels
from servers.runtime.errors import Conflict, Unavailable
from servers.runtime.ids import new_id
from servers.runtime.mesh_key import OPERATOR
from servers.runtime.settings import Settings
from servers.wiring import contract_of
from tests.hosting import Somebody, hosting


class ForgetfulStreams(StreamProcessorServiceServicer):  # type: ignore[misc]
    """Keeps events by index; fails and forgets when told to."""

    def __init__(self) -> None:
        self.kept: list[TurnEvent] = []
        self.batches = 0
        self.refuse = 0
        self.knows_no_first = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def Open(self, request: OpenRequest, context: Any) -> OpenResponse:  # noqa: N802
        """The stream as it is."""
        if not self.knows_no_first and not self.kept:
            self.kept = list(request.first_events)
        return OpenResponse(next_index=len(self.kept) + 1)

    async def Append(self, request: AppendRequest, context: Any) -> AppendResponse:  # noqa: N802
        """Adds a batch where it fits."""
        await self.gate.wait()
        if self.refuse:
            self.refuse -= 1
            raise Unavailable(Reason.REASON_STORE_UNAVAILABLE, "not now")
        next_index = len(self.kept) + 1
        if request.first_index > next_index:
            raise Conflict(Reason.REASON_STREAM_GAP, "gap", next_index=next_index)
        self.batches += 1
        self.kept[request.first_index - 1 :] = request.events
        return AppendResponse()

    @property
    def text(self) -> str:
        """All text."""
        return "".join(event.delta.text for event in self.kept)


@asynccontextmanager
async def publishing(
    settings: Settings,
) -> AsyncIterator[tuple[Publisher, ForgetfulStreams]]:
    """A publisher and what it writes to."""
    streams = ForgetfulStreams()
    service = contract_of("stream_processor")
    register = partial(add_StreamProcessorServiceServicer_to_server, streams)
    async with hosting(settings, others=[Hosted("stream_processor", service, register)]) as wiring:
        names = frozenset({"stream_processor"})
        channels = Channels(OPERATOR, names, wiring.address_of, wiring.mesh_key)
        stub: Any = StreamProcessorServiceStub(channels.to("stream_processor", service))
        unused: Any = None
        peers = Peers(unused, unused, unused, unused, stub, unused, unused, unused)
        with Somebody().acts(wiring):
            yield Publisher(peers, new_id("turn")), streams
        await channels.close()


def delta(text: str) -> TurnEvent:
    return TurnEvent(delta=TextDelta(text=text))


LAST = TurnEvent(completed=Completed())


async def test_what_gathers_while_a_batch_is_under_way_leaves_as_one(settings: Settings) -> None:
    """Fifty deltas behind a slow append become one event."""
    async with publishing(settings) as (publisher, streams):
        await publisher.open()
        streams.gate.clear()
        publisher.put(delta("a"))
        await asyncio.sleep(0)
        for _ in range(50):
            publisher.put(delta("b"))
        streams.gate.set()
        publisher.put(LAST)
        await publisher.close()
    assert streams.text == "a" + "b" * 50
    assert streams.batches <= 2


async def test_a_refused_batch_is_sent_again(settings: Settings) -> None:
    """Nothing is lost, nothing is doubled."""
    async with publishing(settings) as (publisher, streams):
        await publisher.open()
        streams.refuse = 2
        publisher.put(delta("once"), LAST)
        await publisher.close()
    assert streams.text == "once"
    assert len(streams.kept) == 2


async def test_a_stream_that_lost_its_journal_is_told_again(settings: Settings) -> None:
    """From the first word on."""
    async with publishing(settings) as (publisher, streams):
        await publisher.open()
        publisher.put(delta("one "))
        while not streams.kept:
            await asyncio.sleep(0.01)
        streams.kept.clear()
        publisher.put(delta("two"), LAST)
        await publisher.close()
    assert streams.text == "one two"


async def test_a_stream_is_taken_over_where_it_ended(settings: Settings) -> None:
    """A second writer goes on behind the first."""
    async with publishing(settings) as (publisher, streams):
        streams.kept = [delta("first ")]
        opened = await publisher.open()
        publisher.put(delta("second"), LAST)
        await publisher.close()
    assert opened.next_index == 2
    assert streams.text == "first second"


@pytest.mark.parametrize("knows_no_first", [False, True])
async def test_a_stream_begins_with_what_it_is_opened_with(
    settings: Settings, knows_no_first: bool
) -> None:
    """Without an append of its own, unless the stream processor is an older one."""
    async with publishing(settings) as (publisher, streams):
        streams.knows_no_first = knows_no_first
        await publisher.open(delta("first "))
        publisher.put(delta("second"), LAST)
        await publisher.close()
    assert streams.text == "first second"
    assert len(streams.kept) == (2 if knows_no_first else 3)


async def test_what_a_stream_began_with_is_told_again_with_the_rest(settings: Settings) -> None:
    """A journal may be lost at any time."""
    async with publishing(settings) as (publisher, streams):
        await publisher.open(delta("one "))
        streams.kept.clear()
        publisher.put(delta("two"), LAST)
        await publisher.close()
    assert streams.text == "one two"


async def test_a_stream_that_was_taken_over_does_not_begin_again(settings: Settings) -> None:
    """What it would begin with is in it, or was told by the leader before."""
    async with publishing(settings) as (publisher, streams):
        streams.kept = [delta("first "), delta("and more ")]
        await publisher.open(delta("first "))
        publisher.put(delta("second"), LAST)
        await publisher.close()
    assert streams.text == "first and more second"
