"""The hub as the gateway calls it: with the contract's deadlines, in our own errors."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import grpc
from google.protobuf.message import Message

from kari.chat_hub.v1 import chat_hub_pb2
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceStub
from servers.runtime.chunk import Chunk
from servers.runtime.chunked import sending_chunks
from servers.runtime.errors import from_rpc
from servers.runtime.policy import of_service
from servers.runtime.sending import send

SLACK_SECONDS = 1.0
"""The hub gives up first, so that its error arrives and not only the end of our patience."""


class Hub:
    """The methods of the hub by name. Raises KariError."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = sending_chunks(ChatHubServiceStub)(channel)
        (service,) = chat_hub_pb2.DESCRIPTOR.services_by_name.values()
        self._seconds = {
            path.rpartition("/")[2]: policy.deadline for path, policy in of_service(service).items()
        }

    def deadline(self, method: str) -> float | None:
        """When a call that begins now has to be over, in the loop's time; None is never."""
        seconds = self._seconds[method]
        now = asyncio.get_running_loop().time()
        return None if seconds is None else now + seconds + SLACK_SECONDS

    async def ask(self, method: str, request: Message) -> Message:
        """The answer to a unary call."""
        try:
            return cast(Message, await getattr(self._stub, method)(request))
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    async def send(self, method: str, requests: AsyncIterator[Message | Chunk]) -> Message:
        """The answer to a stream of messages; an error of theirs cuts the call and is raised."""
        try:
            return cast(Message, await send(getattr(self._stub, method), requests))
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    async def read(self, method: str, request: Message) -> AsyncGenerator[Message]:
        """The messages of a stream; the call ends with the iterator."""
        call = getattr(self._stub, method)(request)
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()
