"""A stream processor of each test's own over a real Valkey, and clients of it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from kari.conversation_models.v1.turn_pb2 import StreamPosition, TurnEvent
from kari.stream_processor.v1 import stream_processor_pb2_grpc
from kari.stream_processor.v1.stream_processor_pb2 import (
    AppendRequest,
    FollowRequest,
    OpenRequest,
    OpenResponse,
)
from servers.composition.mesh import put_together
from servers.runtime.settings import Settings
from tests.stream_processor.serving import Mesh, MeshWiring
from tests.stream_processor.valkey import TestValkey


class Client:
    """Writes and reads streams of one stream processor."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub = stream_processor_pb2_grpc.StreamProcessorServiceStub(channel)

    async def open(self, turn: str, *first: TurnEvent) -> OpenResponse:
        return await self.stub.Open(OpenRequest(stream_id=turn, first_events=first))

    async def append(self, turn: str, first: int, *events: TurnEvent) -> StreamPosition:
        request = AppendRequest(stream_id=turn, first_index=first, events=events)
        return (await self.stub.Append(request)).position

    async def follow(
        self, turn: str, after: StreamPosition | None = None
    ) -> AsyncIterator[TurnEvent]:
        call = self.stub.Follow(FollowRequest(stream_id=turn, after=after))
        try:
            async for response in call:
                yield response.event
        finally:
            call.cancel()

    async def all_events(self, turn: str, after: StreamPosition | None = None) -> list[TurnEvent]:
        return [event async for event in self.follow(turn, after)]


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[TestValkey]:
    running = TestValkey(tmp_path)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def settings(valkey: TestValkey, tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", redis_url=valkey.url)


@pytest_asyncio.fixture
async def mesh(settings: Settings) -> AsyncIterator[Mesh]:
    made = Mesh(settings)
    with made.user():
        yield made
    await made.close()


class StreamProcessors:
    """Starts stream processors on the same Valkey, each as if in a process of its own."""

    def __init__(self, mesh: Mesh, settings: Settings) -> None:
        self._mesh = mesh
        self._settings = settings

    @asynccontextmanager
    async def start(self, **changes: object) -> AsyncIterator[Client]:
        """One more, with some settings changed."""
        settings = self._settings.model_copy(update=changes)
        wiring = MeshWiring(settings, self._mesh)
        hosted = put_together("stream_processor", wiring)
        async with self._mesh.serving(hosted, wiring.resources):
            yield Client(self._mesh.channel("chat_orchestrator", "stream_processor"))


@pytest.fixture
def stream_processors(mesh: Mesh, settings: Settings) -> StreamProcessors:
    return StreamProcessors(mesh, settings)


@pytest_asyncio.fixture
async def client(stream_processors: StreamProcessors) -> AsyncIterator[Client]:
    async with stream_processors.start() as made:
        yield made
