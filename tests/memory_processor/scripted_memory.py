"""A production memory that has three messages and counts how often it is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc

from kari.conversation_models.v1.message_pb2 import Message
from kari.production_memory.v1.production_memory_pb2 import (
    ListRecentMessagesRequest,
    ListRecentMessagesResponse,
)
from kari.production_memory.v1.production_memory_pb2_grpc import (
    ProductionMemoryServiceServicer,
    ProductionMemoryServiceStub,
    add_ProductionMemoryServiceServicer_to_server,
)

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

MESSAGES = [Message(id=f"msg_{n:032x}", sequence=n, content=f"text {n}") for n in (1, 2, 3)]


class ScriptedMemory(ProductionMemoryServiceServicer):  # type: ignore[misc]
    """Answers ListRecentMessages."""

    def __init__(self) -> None:
        self.asked = 0
        self.trouble = ""

    async def ListRecentMessages(  # noqa: N802  # the contract's name
        self, request: ListRecentMessagesRequest, context: Any
    ) -> ListRecentMessagesResponse:
        """All messages up to the wanted sequence."""
        self.asked += 1
        if self.trouble == "hangs":
            await asyncio.Event().wait()
        if self.trouble == "fails":
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        found = [m for m in MESSAGES if m.sequence <= request.through_sequence]
        return ListRecentMessagesResponse(messages=found)


@asynccontextmanager
async def served(
    servicer: ScriptedMemory,
) -> AsyncIterator["ProductionMemoryServiceAsyncStub"]:
    """A stub of the servicer, over a real socket."""
    server = grpc.aio.server()
    add_ProductionMemoryServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield ProductionMemoryServiceStub(channel)
    await server.stop(0)
