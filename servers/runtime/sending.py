"""Calls that send a stream of messages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

import grpc

M = TypeVar("M")
R = TypeVar("R")


async def send(method: Callable[[AsyncIterator[M]], Awaitable[R]], messages: AsyncIterator[M]) -> R:
    """The answer to a stream of messages. An error of the messages' own cuts the stream and is
    raised as it is: grpc.aio would take it for a cancellation, of the caller too."""
    outgoing = _Outgoing(messages)
    try:
        answer = await method(outgoing.messages())
    except grpc.aio.AioRpcError as error:
        if outgoing.error is None:
            raise
        raise outgoing.error from error
    if outgoing.error is not None:
        raise outgoing.error
    return answer


class _Outgoing(Generic[M]):
    """Messages whose error is kept."""

    def __init__(self, messages: AsyncIterator[M]) -> None:
        self._messages = messages
        self.error: Exception | None = None

    async def messages(self) -> AsyncIterator[M]:
        try:
            async for message in self._messages:
                yield message
        except Exception as error:  # noqa: BLE001  # raised by `send`
            self.error = error
