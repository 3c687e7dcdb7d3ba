"""What every interceptor is made of.

A server interceptor says what happens around a call, whatever its cardinality. A client one is a
function that may change the details of a call and watch its end.
"""

import inspect
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_interceptor.server import AsyncServerInterceptor


@dataclass(frozen=True, slots=True)
class Incoming:
    """A call as it comes in. `request` is None where the client streams."""

    method: str
    request: Message | None
    context: grpc.aio.ServicerContext[Any, Any]

    def header(self, name: str) -> str:
        """Value of a text header; empty if it was not sent."""
        for key, value in self.context.invocation_metadata() or ():
            if key == name:
                return value if isinstance(value, str) else ""
        return ""


class Around(AsyncServerInterceptor):
    """Base of the server interceptors: `around` is entered before a call and left after it."""

    @abstractmethod
    def around(self, call: Incoming) -> AbstractAsyncContextManager[None]:
        """What happens around one call."""

    def intercept(
        self,
        method: Callable[..., Any],
        request_or_iterator: Any,
        context: grpc.aio.ServicerContext[Any, Any],
        method_name: str,
    ) -> Any:
        """Wraps the next handler; see the base class for the duty."""
        request = request_or_iterator if isinstance(request_or_iterator, Message) else None
        call = Incoming(method_name, request, context)
        if inspect.isasyncgenfunction(method):
            return self._stream(call, method, request_or_iterator)
        return self._single(call, method, request_or_iterator)

    async def _single(self, call: Incoming, method: Callable[..., Any], request: Any) -> Any:
        async with self.around(call):
            return await method(request, call.context)

    async def _stream(
        self, call: Incoming, method: Callable[..., Any], request: Any
    ) -> AsyncIterator[Any]:
        async with self.around(call):
            async for response in method(request, call.context):
                yield response


Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]]
Send = Callable[[Continuation, grpc.aio.ClientCallDetails, Any], Awaitable[Any]]


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, send: Send) -> None:
        self._send = send

    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await self._send(continuation, client_call_details, request)


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, send: Send) -> None:
        self._send = send

    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await self._send(continuation, client_call_details, request)


def both(send: Send) -> tuple[grpc.aio.ClientInterceptor, grpc.aio.ClientInterceptor]:
    """The client interceptors of `send`. grpc.aio wants one object a cardinality."""
    return _UnaryUnary(send), _UnaryStream(send)


def with_headers(
    details: grpc.aio.ClientCallDetails, *headers: tuple[str, str]
) -> grpc.aio.ClientCallDetails:
    """The same call with more metadata."""
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    for name, value in headers:
        metadata.add(name, value)
    return grpc.aio.ClientCallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
    )


def path_of(details: grpc.aio.ClientCallDetails) -> str:
    """Full path of the method; grpc.aio passes bytes where its types say text."""
    method: str | bytes = details.method
    return method.decode() if isinstance(method, bytes) else method
