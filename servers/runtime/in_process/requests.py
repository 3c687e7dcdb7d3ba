"""The client's end of a call, as far as it writes."""

import asyncio
from collections.abc import AsyncIterable, Iterable
from typing import Any, cast

import grpc

from servers.runtime.in_process.client import MIXED, Deserialize, InProcessCall, Serialize
from servers.runtime.in_process.exchange import MOST_BYTES, Exchange, log, serialized, too_large
from servers.runtime.in_process.pipe import Pipe

OVER = "RPC already finished."
HALF_CLOSED = 'RPC is half closed after calling "done_writing".'


class ManyRequests(InProcessCall):
    """A call whose requests stream."""

    def __init__(
        self, exchange: Exchange, deserialize: Deserialize, serialize: Serialize, requests: Any
    ) -> None:
        super().__init__(exchange, deserialize)
        self._serialize = serialize
        self._half_closed = False
        self._sending: asyncio.Task[None] | None = None
        if requests is not None:
            self._sending = exchange.loop.create_task(self._send_all(requests))

    def cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled and self._sending is not None:
            self._sending.cancel()
        return cancelled

    async def write(self, request: Any) -> None:
        """Sends a request, as soon as the window has room for it."""
        self._own_requests()
        await self._write(request)

    async def done_writing(self) -> None:
        """Says that no request follows."""
        self._own_requests()
        self._close()

    async def wait_for_connection(self) -> None:
        """Returns at once, unless the call has failed."""
        if self.exchange.ending is not None:
            self.raise_for(self.exchange.ending)

    def _own_requests(self) -> None:
        if self._sending is not None:
            raise grpc.aio.UsageError(MIXED)

    def _close(self) -> None:
        self._half_closed = True
        if self.exchange.ending is None and self.exchange.requests is not None:
            self.exchange.requests.end()

    async def _write(self, request: Any) -> None:
        exchange = self.exchange
        if exchange.ending is not None:
            raise asyncio.InvalidStateError(OVER)
        if self._half_closed:
            raise asyncio.InvalidStateError(HALF_CLOSED)
        message = serialized(request, self._serialize)
        if len(message) > MOST_BYTES:
            exchange.break_off(too_large("SERVER", len(message)))
            return
        try:
            await cast(Pipe, exchange.requests).put(message)
        except asyncio.CancelledError:
            self.cancel()
            raise

    async def _send_all(self, requests: Iterable[Any] | AsyncIterable[Any]) -> None:
        try:
            if isinstance(requests, AsyncIterable):
                async for request in requests:
                    await self._write(request)
            else:
                for request in requests:
                    await self._write(request)
            self._close()
        except BaseException as error:  # noqa: BLE001  # it is the caller's own
            log.debug("the requests of a call ended early", exc_info=error)
            self.cancel()
