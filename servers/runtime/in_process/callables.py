"""What a stub holds for each method: it makes the calls."""

from collections.abc import Callable
from typing import Any, Protocol

import grpc

from servers.runtime.in_process.calls import (
    StreamStreamCall,
    StreamUnaryCall,
    UnaryStreamCall,
    UnaryUnaryCall,
)
from servers.runtime.in_process.exchange import Exchange, serialized
from servers.runtime.interceptors.sending import Sender


class Opener(Protocol):
    """The channel, as its methods need it."""

    def sender(self, method: str) -> Sender | None:
        """The interceptors for the calls of one method."""

    def open(self, method: "Method", timeout: float | None, metadata: Any) -> Exchange:
        """A call that has not reached the server yet."""

    def start(self, exchange: Exchange) -> None:
        """Hands a call to the server."""


class Method:
    """A method of the peer, as a stub knows it. `streams` is whether requests and responses do."""

    def __init__(
        self,
        channel: Opener,
        streams: tuple[bool, bool],
        path: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = False,
    ) -> None:
        self.channel = channel
        self.streams = streams
        self.path = path
        self.sender = channel.sender(path)
        self.serialize = request_serializer
        self.deserialize = response_deserializer


class _OneRequest:
    def __init__(self, method: Method) -> None:
        self._method = method

    def _send(self, request: Any, timeout: float | None, metadata: Any) -> Exchange:
        method = self._method
        message = serialized(request, method.serialize)
        exchange = method.channel.open(method, timeout, metadata)
        exchange.request = message
        method.channel.start(exchange)
        return exchange


class UnaryUnary(_OneRequest, grpc.aio.UnaryUnaryMultiCallable[Any, Any]):
    """One request, one response."""

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> UnaryUnaryCall:
        exchange = self._send(request, timeout, metadata)
        return UnaryUnaryCall(exchange, self._method.deserialize)


class UnaryStream(_OneRequest, grpc.aio.UnaryStreamMultiCallable[Any, Any]):
    """One request, many responses."""

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> UnaryStreamCall:
        exchange = self._send(request, timeout, metadata)
        return UnaryStreamCall(exchange, self._method.deserialize)


class _ManyRequests:
    def __init__(self, method: Method) -> None:
        self._method = method

    def _begin(self, timeout: float | None, metadata: Any) -> Exchange:
        method = self._method
        exchange = method.channel.open(method, timeout, metadata)
        method.channel.start(exchange)
        return exchange


class StreamUnary(_ManyRequests, grpc.aio.StreamUnaryMultiCallable[Any, Any]):
    """Many requests, one response."""

    def __call__(
        self,
        request_iterator: Any = None,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> StreamUnaryCall:
        method = self._method
        exchange = self._begin(timeout, metadata)
        return StreamUnaryCall(exchange, method.deserialize, method.serialize, request_iterator)


class StreamStream(_ManyRequests, grpc.aio.StreamStreamMultiCallable[Any, Any]):
    """Many requests, many responses."""

    def __call__(
        self,
        request_iterator: Any = None,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> StreamStreamCall:
        method = self._method
        exchange = self._begin(timeout, metadata)
        return StreamStreamCall(exchange, method.deserialize, method.serialize, request_iterator)
