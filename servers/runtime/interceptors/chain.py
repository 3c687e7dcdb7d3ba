"""What every interceptor is made of.

A server interceptor says what happens around a call, whatever its cardinality. A client one is a
function that may change the details of a call and watch its end.
"""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_interceptor.server import AsyncServerInterceptor

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest

UNREADABLE = object()
"""Stands for bytes that are no message of the contract."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A call as it comes in. `request` is None where the client streams."""

    method: str
    request: Message | None
    context: grpc.aio.ServicerContext[Any, Any]
    headers: Mapping[str, str | bytes]

    def header(self, name: str) -> str:
        """Value of a text header; empty if it was not sent."""
        value = self.headers.get(name, "")
        return value if isinstance(value, str) else ""

    def code(self, error: BaseException | None) -> grpc.StatusCode:
        """With which status the call ended; `error` is what ended it, None if nothing did. Who
        goes away, or whose time is over, is told no status, so there is none to be found."""
        stated: object = self.context.code()
        if isinstance(stated, grpc.StatusCode):
            return stated
        if error is None:
            return grpc.StatusCode.OK
        late = self.context.time_remaining() == 0
        return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED


class Around(ABC):
    """Base of what stands around a call: `around` is entered before it and left after it."""

    @abstractmethod
    def around(self, call: Incoming) -> AbstractAsyncContextManager[None]:
        """What happens around one call."""


class Chain(AsyncServerInterceptor):
    """The one interceptor of a server: enters each of `arounds`, the first one outermost.

    One, because each interceptor of grpc.aio wraps every message of a stream in two generators
    more, and because generators that a cancelled call leaves behind are closed late, by another
    task and in another context. Here everything about a call happens in its own task, in order.
    """

    def __init__(self, arounds: tuple[Around, ...]) -> None:
        self._arounds = arounds
        self._handlers: dict[str, Any] = {}

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Wraps a method's handler, once; see the base class for the duty."""
        method = handler_call_details.method
        handler = self._handlers.get(method)
        if handler is None:
            wrap: Any = super().intercept_service
            handler = await wrap(continuation, handler_call_details)
            if handler is not None:
                readable = _forgiving(handler.request_deserializer)
                handler = handler._replace(request_deserializer=readable)
                self._handlers[method] = handler
        return handler

    async def intercept(
        self,
        method: Callable[..., Any],
        request_or_iterator: Any,
        context: grpc.aio.ServicerContext[Any, Any],
        method_name: str,
    ) -> Any:
        """Serves one call; see the base class for the duty."""
        request = request_or_iterator if isinstance(request_or_iterator, Message) else None
        call = Incoming(method_name, request, context, dict(context.invocation_metadata() or ()))
        async with AsyncExitStack() as stack:
            for around in self._arounds:
                await stack.enter_async_context(around.around(call))
            if request_or_iterator is UNREADABLE:
                raise InvalidRequest(
                    Reason.REASON_FIELD_INVALID, "the request is no message of this contract"
                )
            if inspect.isasyncgenfunction(method):
                return await _send_all(method(request_or_iterator, context), context)
            return await method(request_or_iterator, context)


async def _send_all(
    responses: AsyncGenerator[Any, None], context: grpc.aio.ServicerContext[Any, Any]
) -> None:
    async with aclosing(responses):
        async for response in responses:
            try:
                await context.write(response)
            except grpc.aio.InternalError:
                # The client is gone, and the cancellation that says so is on its way.
                raise asyncio.CancelledError from None


def _forgiving(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """grpc.aio answers bytes that cannot be read with the exception's text, outside of any
    interceptor."""

    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return UNREADABLE

    return read


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


_endings: set[asyncio.Task[None]] = set()


def when_ended(call: Any, then: Callable[[grpc.StatusCode], None]) -> None:
    """Does something when a call has ended, told how. The code of an ended call is behind a
    coroutine and a callback cannot await, so a task of its own asks for it."""

    async def tell() -> None:
        then(await call.code())

    def later(_ended: Any) -> None:
        task = asyncio.get_running_loop().create_task(tell())
        _endings.add(task)
        task.add_done_callback(_endings.discard)

    call.add_done_callback(later)


def path_of(details: grpc.aio.ClientCallDetails) -> str:
    """Full path of the method; grpc.aio passes bytes where its types say text."""
    method: str | bytes = details.method
    return method.decode() if isinstance(method, bytes) else method
