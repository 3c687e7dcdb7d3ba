"""What a hop costs: `python -m tests.load.channel`.

One call, and one message of a stream, from a server of the mesh to its peer, both sides in this
process and on uvloop. Prints microseconds of CPU, the best of some rounds: over a socket and in
process, bare and with the interceptors of both sides.
"""

import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import uvloop

from kari.conversation_manager.v1 import conversation_manager_pb2_grpc
from kari.conversation_manager.v1.conversation_manager_pb2 import GetConversationRequest
from kari.stream_processor.v1 import stream_processor_pb2_grpc
from kari.stream_processor.v1.stream_processor_pb2 import FollowRequest
from servers.runtime.call import Call, acting
from servers.runtime.ids import new_correlation_id
from servers.runtime.in_process import InProcessChannel, InProcessServer, Port
from tests.runtime.mesh import CONVERSATION, TURN, Manager, Streams, serving_mesh

ROUNDS = 5
CALLS = 1_000
MESSAGES = 10_000
TIMEOUT_SECONDS = 5.0

Channels = tuple[grpc.aio.Channel, grpc.aio.Channel]


async def events(_request: Any) -> AsyncIterator[None]:
    """A stream of small messages."""
    for _ in range(MESSAGES):
        yield None


@asynccontextmanager
async def bare() -> AsyncIterator[Channels]:
    """grpc.aio as it is: the same servicers, no interceptor."""
    server = grpc.aio.server()
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel, channel
    await server.stop(0)


@asynccontextmanager
async def bare_in_process() -> AsyncIterator[Channels]:
    """The channel as it is, without an interceptor."""
    port = Port()
    server = InProcessServer(port)
    register(server)
    await server.start()
    async with InProcessChannel(port) as channel:
        yield channel, channel
    await server.stop(0)


def register(server: grpc.aio.Server) -> None:
    """The servicers that are called."""
    streams = Streams()
    streams.events = events
    conversation_manager_pb2_grpc.add_ConversationManagerServiceServicer_to_server(
        Manager(), server
    )
    stream_processor_pb2_grpc.add_StreamProcessorServiceServicer_to_server(streams, server)


@asynccontextmanager
async def meshed(*, in_process: bool) -> AsyncIterator[Channels]:
    """As the servers of the mesh call each other, for a user."""
    with tempfile.TemporaryDirectory() as folder:
        async with serving_mesh(Path(folder), in_process=in_process) as mesh:
            mesh.streams.events = events
            user = mesh.key.delegate(
                "chat_hub", user_id="user_1", tenant_id="bench", roles=frozenset({"chat.user"})
            )
            with acting(Call(new_correlation_id(), principal=user)):
                manager = mesh.channel("chat_hub", "conversation_manager")
                yield manager, mesh.channel("chat_hub", "stream_processor")


async def unary(channel: grpc.aio.Channel) -> int:
    """Calls one after another; gives how many."""
    stub = conversation_manager_pb2_grpc.ConversationManagerServiceStub(channel)
    request = GetConversationRequest(conversation_id=CONVERSATION)
    for _ in range(CALLS):
        await stub.GetConversation(request, timeout=TIMEOUT_SECONDS)
    return CALLS


async def stream(channel: grpc.aio.Channel) -> int:
    """Reads a stream to its end; gives how many messages came."""
    stub = stream_processor_pb2_grpc.StreamProcessorServiceStub(channel)
    return len([1 async for _ in stub.Follow(FollowRequest(stream_id=TURN))])


async def microseconds(work: Callable[[], Awaitable[int]]) -> float:
    """CPU of one, in the best round of some."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        count = await work()
        found.append((time.process_time() - began) / count * 1e6)
    return min(found)


async def main() -> None:
    """Prints the table."""
    rows = (
        ("socket, bare", bare()),
        ("socket, both chains", meshed(in_process=False)),
        ("in process, bare", bare_in_process()),
        ("in process, both chains", meshed(in_process=True)),
    )
    sys.stdout.write(f"{'microseconds of CPU':26}{'unary call':>12}{'message':>12}\n")
    for name, opened in rows:
        async with opened as (calls, streams):
            call = await microseconds(lambda to=calls: unary(to))
            message = await microseconds(lambda to=streams: stream(to))
        sys.stdout.write(f"{name:26}{call:12.1f}{message:12.2f}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
