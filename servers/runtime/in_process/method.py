"""A method as it is served: its handler, and what is the same for all of its calls."""

import inspect
from collections.abc import Callable
from typing import Any

import grpc

from servers.runtime.in_process.context import Context, Requests
from servers.runtime.in_process.exchange import Exchange, as_bytes


class Method:
    """Serves the calls of one handler. `kind` is whether requests and responses stream;
    `read_each` and `write_each` are there where they do."""

    def __init__(self, handler: Any) -> None:
        self.kind = (bool(handler.request_streaming), bool(handler.response_streaming))
        self._call: Callable[..., Any] = (
            handler.unary_unary
            or handler.unary_stream
            or handler.stream_unary
            or handler.stream_stream
        )
        self._read: Callable[[bytes], Any] = handler.request_deserializer or as_bytes
        self._write: Callable[[Any], bytes] = handler.response_serializer or as_bytes
        self.read_each = self._read if handler.request_streaming else None
        self.write_each = self._write if handler.response_streaming else None
        self._generates = inspect.isasyncgenfunction(self._call)

    async def serve(self, exchange: Exchange, context: Context) -> None:
        """Calls the handler, and sends what it gives."""
        request: Any = Requests(context) if self.read_each else self._read(exchange.request)
        if self._generates:
            async for response in self._call(request, context):
                await context.write(response)
            context.raise_if_over()
            return
        response = await self._call(request, context)
        context.raise_if_over()
        if self.write_each is None and context.code() in (None, grpc.StatusCode.OK):
            exchange.response = self._write(response)
