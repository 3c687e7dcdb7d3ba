"""The client's end of a call: what all four kinds have in common."""

import asyncio
import contextvars
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc

from servers.runtime.in_process.exchange import CANCELLED, Ending, Exchange

Deserialize = Callable[[bytes], Any] | None
Serialize = Callable[[Any], bytes] | None

MIXED = "The iterator and read/write APIs may not be mixed on a single RPC."


class InProcessCall(grpc.aio.Call):
    """What all kinds have in common: status, metadata, cancellation."""

    def __init__(self, exchange: Exchange, deserialize: Deserialize) -> None:
        self.exchange = exchange
        self._deserialize = deserialize

    def cancel(self) -> bool:
        """Ends the call, the handler's side too; False if it has ended."""
        exchange = self.exchange
        if exchange.ending is not None:
            return False
        exchange.cancelled_here = True
        exchange.break_off(CANCELLED)
        return True

    def cancelled(self) -> bool:
        ending = self.exchange.ending
        return ending is not None and ending.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self.exchange.ending is not None

    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        # It is the server's task that ends most calls; what it knows is not the caller's.
        run = contextvars.copy_context().run
        self.exchange.when_ended(partial(run, callback, self))

    def time_remaining(self) -> float | None:
        return self.exchange.remaining()

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """The server's headers, once they have come."""
        while self.exchange.initial is None:
            await self.exchange.changed()
        return grpc.aio.Metadata(*self.exchange.initial)

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        """The server's trailers, once the call has ended."""
        return grpc.aio.Metadata(*(await self._end()).trailing)

    async def code(self) -> grpc.StatusCode:
        """With which status the call ended, once it has."""
        return (await self._end()).code

    async def details(self) -> str:
        """What the status says, once the call has ended."""
        return (await self._end()).details

    async def debug_error_string(self) -> str:
        """For logs."""
        return _debug(await self._end())

    def __repr__(self) -> str:
        ending = self.exchange.ending
        state = "under way" if ending is None else f"{ending.code}: {ending.details}"
        return f"<{type(self).__name__} of {self.exchange.method}, {state}>"

    async def _end(self) -> Ending:
        while (ending := self.exchange.ending) is None:
            await self.exchange.changed()
        return ending

    def raise_for(self, ending: Ending) -> None:
        """Raises what a call with such an end gives its caller; nothing if it ended well."""
        if self.exchange.cancelled_here:
            raise asyncio.CancelledError
        if ending.code is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(
                ending.code,
                grpc.aio.Metadata(*(self.exchange.initial or ())),
                grpc.aio.Metadata(*ending.trailing),
                ending.details,
                _debug(ending),
            )

    async def raise_for_status(self) -> None:
        """As `raise_for`, once the call has ended."""
        self.raise_for(await self._end())


def _debug(ending: Ending) -> str:
    return f"in process, {ending.code.name}: {ending.details}"
