"""Methods whose clients stream bytes: what they send is read and written as Chunks."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import grpc

from servers.runtime.chunk import reading, writing

S = TypeVar("S")
Stub = TypeVar("Stub")


def serving_chunks(
    register: Callable[[S, grpc.aio.Server], None], method: str
) -> Callable[[S, grpc.aio.Server], None]:
    """Registers a servicer whose `method` is given Chunks among its requests."""

    def registered(servicer: S, server: grpc.aio.Server) -> None:
        register(servicer, _Server(server, method))  # type: ignore[arg-type]

    return registered


def sending_chunks(stub: Callable[[grpc.aio.Channel], Stub]) -> Callable[[grpc.aio.Channel], Stub]:
    """A stub whose methods take Chunks among the requests that they stream."""
    return lambda channel: stub(_Channel(channel))  # type: ignore[arg-type]


class _Server:
    """What generated code needs of a server to register a servicer."""

    def __init__(self, server: grpc.aio.Server, method: str) -> None:
        self._server = server
        self._method = method

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        self._server.add_generic_rpc_handlers(tuple(handlers))

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """These are asked before the generic ones."""
        handler = handlers[self._method]
        handler = handler._replace(request_deserializer=reading(handler.request_deserializer))
        changed = {**handlers, self._method: handler}
        self._server.add_registered_method_handlers(service, changed)


class _Channel:
    """What generated code needs of a channel to make a stub."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self.unary_unary = channel.unary_unary
        self.unary_stream = channel.unary_stream
        self.stream_stream = channel.stream_stream

    def stream_unary(
        self, method: str, request_serializer: Callable[[Any], bytes], **options: Any
    ) -> Any:
        serializer = writing(request_serializer)
        return self._channel.stream_unary(method, request_serializer=serializer, **options)
