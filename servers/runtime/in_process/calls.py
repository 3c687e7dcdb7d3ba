"""The four kinds of call, as grpc.aio has them."""

from typing import Any

import grpc

from servers.runtime.in_process.requests import ManyRequests
from servers.runtime.in_process.responses import ManyResponses, OneResponse


class UnaryUnaryCall(OneResponse, grpc.aio.UnaryUnaryCall[Any, Any]):
    """One request, one response."""

    async def wait_for_connection(self) -> None:
        """Returns when the call has ended well."""
        await self.raise_for_status()


class UnaryStreamCall(ManyResponses, grpc.aio.UnaryStreamCall[Any, Any]):
    """One request, many responses."""

    async def wait_for_connection(self) -> None:
        """Returns when the server's headers have come."""
        while self.exchange.initial is None:
            await self.exchange.changed()
        if self.exchange.ending is not None:
            self.raise_for(self.exchange.ending)


class StreamUnaryCall(ManyRequests, OneResponse, grpc.aio.StreamUnaryCall[Any, Any]):
    """Many requests, one response."""


class StreamStreamCall(ManyRequests, ManyResponses, grpc.aio.StreamStreamCall[Any, Any]):
    """Many requests, many responses."""
