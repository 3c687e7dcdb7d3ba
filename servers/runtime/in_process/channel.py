"""The client's channel to a server of the same process."""

import asyncio
from functools import partial
from types import TracebackType
from typing import Any, Self

import grpc

from servers.runtime.in_process.callables import (
    Method,
    StreamStream,
    StreamUnary,
    UnaryStream,
    UnaryUnary,
)
from servers.runtime.in_process.exchange import (
    CANCELLED,
    MOST_BYTES,
    NOBODY,
    Exchange,
    too_large,
)
from servers.runtime.in_process.metadata import sent
from servers.runtime.in_process.pipe import Pipe
from servers.runtime.in_process.port import Port
from servers.runtime.interceptors.sending import Ended, Outgoing, Sender, Sending

State = grpc.ChannelConnectivity


class InProcessChannel(grpc.aio.Channel):
    """A channel to whoever listens on `port`; `sending` is what happens around each call."""

    def __init__(self, port: Port, sending: Sending | None = None) -> None:
        self.port = port
        self._sending = sending
        self._calls: set[Exchange] = set()
        self._closed = False

    def unary_unary(self, method: str, *args: Any, **options: Any) -> Any:
        return UnaryUnary(Method(self, (False, False), method, *args, **options))

    def unary_stream(self, method: str, *args: Any, **options: Any) -> Any:
        return UnaryStream(Method(self, (False, True), method, *args, **options))

    def stream_unary(self, method: str, *args: Any, **options: Any) -> Any:
        return StreamUnary(Method(self, (True, False), method, *args, **options))

    def stream_stream(self, method: str, *args: Any, **options: Any) -> Any:
        return StreamStream(Method(self, (True, True), method, *args, **options))

    async def close(self, grace: float | None = None) -> None:
        """Takes no more calls; those under way are cancelled after `grace` seconds."""
        self._closed = True
        if grace and self._calls:
            ends = [asyncio.ensure_future(_end_of(call)) for call in self._calls]
            await asyncio.wait(ends, timeout=grace)
            for end in ends:
                end.cancel()
        for call in list(self._calls):
            call.cancelled_here = True
            call.break_off(CANCELLED)

    def get_state(self, try_to_connect: bool = False) -> State:
        if self._closed:
            return State.SHUTDOWN
        return State.READY if self.port.server is not None else State.TRANSIENT_FAILURE

    async def wait_for_state_change(self, last_observed_state: State) -> None:
        while self.get_state() is last_observed_state:
            await self.port.changed()

    async def channel_ready(self) -> None:
        while self.get_state() is not State.READY:
            await self.port.changed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    def sender(self, method: str) -> Sender | None:
        """The interceptors for the calls of one method."""
        return None if self._sending is None else self._sending.of(method)

    def open(self, method: Method, timeout: float | None, metadata: Any) -> Exchange:
        """A call that has not reached the server yet. Raises UsageError once closed,
        IllegalMetadata, TypeError for metadata of the wrong type."""
        if self._closed:
            raise grpc.aio.UsageError("Channel is closed.")
        outgoing = Outgoing(method.path, timeout, list(sent(metadata)))
        ended = None if method.sender is None else method.sender.begin(outgoing)
        loop = asyncio.get_running_loop()
        requests = Pipe(loop) if method.streams[0] else None
        responses = Pipe(loop) if method.streams[1] else None
        exchange = Exchange(loop, method.path, tuple(outgoing.headers), requests, responses)
        self._calls.add(exchange)
        exchange.when_ended(partial(self._over, exchange, ended))
        if outgoing.timeout is not None:
            exchange.limit(outgoing.timeout)
        return exchange

    def start(self, exchange: Exchange) -> None:
        """Hands a call to the server."""
        if len(exchange.request) > MOST_BYTES:
            exchange.break_off(too_large("SERVER", len(exchange.request)))
        elif self.port.server is None:
            exchange.break_off(NOBODY)
        elif exchange.ending is None:
            self.port.server.accept(exchange)

    def _over(self, exchange: Exchange, ended: Ended | None) -> None:
        self._calls.discard(exchange)
        if ended is not None and exchange.ending is not None:
            ended(exchange.ending.code)


async def _end_of(exchange: Exchange) -> None:
    while exchange.ending is None:
        await exchange.changed()
