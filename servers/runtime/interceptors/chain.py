"""What every server interceptor is made of: it says what happens before and after each call of a
method, whatever its cardinality."""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_interceptor.server import AsyncServerInterceptor

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest

UNREADABLE = object()
"""Stands for bytes that are no message of the contract."""


class Answered(Exception):
    """A call that is to end with this status, whatever it was that went wrong."""

    def __init__(
        self, code: grpc.StatusCode, message: str, headers: tuple[tuple[str, str | bytes], ...]
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.headers = headers


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
        if isinstance(error, Answered):
            return error.code
        stated: object = self.context.code()
        if isinstance(stated, grpc.StatusCode):
            return stated
        if error is None:
            return grpc.StatusCode.OK
        late = self.context.time_remaining() == 0
        return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED


Leave = Callable[[BaseException | None], BaseException | None]
"""Is told what ended a call, None if it ended well, and gives what those outside are to be told:
mostly the same."""

Enter = Callable[[Incoming], Leave | None]
"""Happens before a call; may raise to refuse it."""


class Around(ABC):
    """Base of what stands around calls. Nothing of it waits, so none of it needs a coroutine."""

    @abstractmethod
    def of(self, method: str) -> Enter | None:
        """What happens before each call of a method; None if nothing does. Asked once for each
        method, so that what is the same for all of its calls is found once."""


class Chain(AsyncServerInterceptor):
    """The one interceptor of a server: enters each of `arounds`, the first one outermost.

    One, because each interceptor of grpc.aio wraps every message of a stream in two generators
    more, and because generators that a cancelled call leaves behind are closed late, by another
    task and in another context. Here everything about a call happens in its own task, in order.
    """

    def __init__(self, arounds: Sequence[Around]) -> None:
        self._arounds = tuple(arounds)
        self._enters: dict[str, tuple[Enter, ...]] = {}
        self._handlers: dict[str, Any] = {}
        self._generates: dict[Callable[..., Any], bool] = {}

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
                found = (around.of(method) for around in self._arounds)
                self._enters[method] = tuple(enter for enter in found if enter is not None)
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
        headers = dict(context.invocation_metadata() or ())
        call = Incoming(method_name, request, context, headers)
        leaves: list[Leave] = []
        try:
            for enter in self._enters[method_name]:
                leave = enter(call)
                if leave is not None:
                    leaves.append(leave)
            if request_or_iterator is UNREADABLE:
                raise _unreadable()
            if self._is_generator(method):
                response = None
                await _send_all(method(request_or_iterator, context), context)
            else:
                response = await method(request_or_iterator, context)
        except BaseException as error:  # noqa: BLE001  # those around say what becomes of it
            ended = _left(leaves, error)
        else:
            ended = _left(leaves, None)
        if ended is None:
            return response
        try:
            if isinstance(ended, Answered):
                await context.abort(ended.code, ended.message, ended.headers)
            raise ended
        finally:
            # Its traceback holds this frame.
            del ended

    def _is_generator(self, method: Callable[..., Any]) -> bool:
        """Asking Python costs more than all the rest of a call's bookkeeping."""
        found = self._generates.get(method)
        if found is None:
            found = self._generates[method] = inspect.isasyncgenfunction(method)
        return found


def _left(leaves: list[Leave], ended: BaseException | None) -> BaseException | None:
    for leave in reversed(leaves):
        try:
            ended = leave(ended)
        except BaseException as error:  # noqa: BLE001  # the others are to be left all the same
            ended = error
    return ended


def _unreadable() -> InvalidRequest:
    return InvalidRequest(Reason.REASON_FIELD_INVALID, "the request is no message of this contract")


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
