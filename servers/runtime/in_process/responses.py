"""The client's end of a call, as far as it reads."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any, cast

import grpc

from servers.runtime.in_process.client import MIXED, InProcessCall
from servers.runtime.in_process.exchange import MOST_BYTES, deserialized, too_large
from servers.runtime.in_process.pipe import Pipe


class OneResponse(InProcessCall):
    """A call with one response."""

    _message: Any = None
    _read = False

    def __await__(self) -> Generator[Any, None, Any]:
        exchange = self.exchange
        try:
            while exchange.ending is None:
                yield from exchange.changed()
        except asyncio.CancelledError:
            self.cancel()
            raise
        self.raise_for(exchange.ending)
        if not self._read:
            self._read = True
            self._message = deserialized(exchange.response, self._deserialize)
        return self._message


class ManyResponses(InProcessCall):
    """A call whose responses stream."""

    iterated = False
    """Whether its one iteration has come to an end, or is waiting."""
    _style = ""

    def __aiter__(self) -> AsyncIterator[Any]:
        self._keep_to("iterator")
        return _Responses(self)

    async def read(self) -> Any:
        """The next response; EOF after the last."""
        if self.exchange.ending is not None:
            self.raise_for(self.exchange.ending)
            return grpc.aio.EOF
        self._keep_to("read")
        message = await self.next_message()
        if message is grpc.aio.EOF:
            await self.raise_for_status()
        return message

    async def next_message(self) -> Any:
        """The next response; EOF after the last, however the call ended."""
        exchange = self.exchange
        responses = cast(Pipe, exchange.responses)
        try:
            message = await responses.get()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if exchange.stated is not None and responses.drained:
            exchange.drained()
        if message is None:
            return grpc.aio.EOF
        if len(message) > MOST_BYTES:
            exchange.break_off(too_large("CLIENT", len(message)))
            return grpc.aio.EOF
        return deserialized(message, self._deserialize)

    def _keep_to(self, style: str) -> None:
        if self._style not in ("", style):
            raise grpc.aio.UsageError(MIXED)
        self._style = style


class _Responses:
    """Iterates over the responses of a call. The call does not know it: of the two nothing is left
    to the garbage collector."""

    __slots__ = ("_call",)

    def __init__(self, call: ManyResponses) -> None:
        self._call = call

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        call = self._call
        if call.iterated:
            raise StopAsyncIteration
        call.iterated = True
        message = await call.next_message()
        if message is grpc.aio.EOF:
            await call.raise_for_status()
            raise StopAsyncIteration
        call.iterated = False
        return message
