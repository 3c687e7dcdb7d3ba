"""A service of four methods, one a cardinality, over a socket and in process.

Its handlers are the test's; messages are plain texts.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from servers.runtime.in_process import InProcessChannel, InProcessServer, Port

NAME = "conformance.Service"
CARDINALITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")

HANDLERS: dict[str, Any] = {
    "unary_unary": grpc.unary_unary_rpc_method_handler,
    "unary_stream": grpc.unary_stream_rpc_method_handler,
    "stream_unary": grpc.stream_unary_rpc_method_handler,
    "stream_stream": grpc.stream_stream_rpc_method_handler,
}

Codec = tuple[Callable[[Any], bytes] | None, Callable[[bytes], Any] | None]
TEXT: Codec = (StringValue.SerializeToString, StringValue.FromString)
BYTES: Codec = (None, None)


def text(value: str = "") -> StringValue:
    return StringValue(value=value)


@dataclass
class Served:
    """A running server, a channel to it."""

    server: grpc.aio.Server
    channel: grpc.aio.Channel

    def method(self, cardinality: str, codec: Codec = TEXT) -> Any:
        """What a stub has for the method of a cardinality."""
        of = getattr(self.channel, cardinality)
        return of(
            f"/{NAME}/{cardinality}",
            request_serializer=codec[0],
            response_deserializer=codec[1],
            _registered_method=True,
        )

    def call(self, cardinality: str, *values: str, **options: Any) -> Any:
        """A call with these texts as its requests."""
        request: Any = text(*values[:1])
        if cardinality.startswith("stream"):
            request = iter([text(value) for value in values])
        return self.method(cardinality)(request, **options)


Serve = Callable[..., Any]


@asynccontextmanager
async def serving(transport: str, codec: Codec = TEXT, **handlers: Any) -> AsyncIterator[Served]:
    """Serves handlers by cardinality inside the block."""
    methods = {
        cardinality: HANDLERS[cardinality](
            handler, request_deserializer=codec[1], response_serializer=codec[0]
        )
        for cardinality, handler in handlers.items()
    }
    served = await (_on_a_socket if transport == "socket" else _in_process)(methods)
    try:
        yield served
    finally:
        await served.channel.close()
        await served.server.stop(0)


async def _on_a_socket(methods: dict[str, Any]) -> Served:
    server = grpc.aio.server()
    register(server, methods)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return Served(server, grpc.aio.insecure_channel(f"127.0.0.1:{port}"))


async def _in_process(methods: dict[str, Any]) -> Served:
    port = Port()
    server = InProcessServer(port)
    register(server, methods)
    await server.start()
    return Served(server, InProcessChannel(port))


def register(server: grpc.aio.Server, methods: dict[str, Any]) -> None:
    """As generated code does it."""
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, methods),))
    server.add_registered_method_handlers(NAME, methods)


async def outcome(call: Any) -> tuple[list[str], grpc.StatusCode]:
    """All responses of a call of any cardinality, and its status."""
    found = []
    try:
        if hasattr(call, "__aiter__"):
            async for response in call:
                found.append(response.value)
        else:
            found.append((await call).value)
    except grpc.aio.AioRpcError as error:
        return found, error.code()
    return found, await call.code()


async def failure(call: Any) -> grpc.aio.AioRpcError:
    """The error that a call ends with."""
    try:
        if hasattr(call, "__aiter__"):
            found = [response async for response in call]
        else:
            found = [await call]
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError(f"it ended well: {found}")


async def until(check: Callable[[], object]) -> None:
    """Returns as soon as `check` is true."""
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.005)


async def echo(request: Any, _context: Any) -> Any:
    """unary_unary"""
    return text(request.value)


async def twice(request: Any, _context: Any) -> AsyncIterator[Any]:
    """unary_stream"""
    for _ in range(2):
        yield text(request.value)


async def joined(requests: AsyncIterator[Any], _context: Any) -> Any:
    """stream_unary"""
    return text("".join([request.value async for request in requests]))


async def mirrored(requests: AsyncIterator[Any], _context: Any) -> AsyncIterator[Any]:
    """stream_stream"""
    async for request in requests:
        yield text(request.value)


GOOD = {
    "unary_unary": echo,
    "unary_stream": twice,
    "stream_unary": joined,
    "stream_stream": mirrored,
}


class Watched:
    """A handler of any cardinality that waits, and notes what becomes of it."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.over = asyncio.Event()
        self.how = ""

    async def _wait(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            self.how = type(error).__name__
            raise
        finally:
            self.over.set()

    def handlers(self) -> dict[str, Callable[[Any, Any], Any]]:
        """By cardinality; grpc.aio looks at what kind of function each is."""

        async def one(_request: Any, _context: Any) -> Any:
            await self._wait()

        async def many(_request: Any, _context: Any) -> AsyncIterator[Any]:
            await self._wait()
            yield text()

        return {c: many if c.endswith("stream") else one for c in CARDINALITIES}


async def at_once(count: int, make: Callable[[int], Awaitable[Any]]) -> Sequence[Any]:
    """What many calls at once give."""
    return await asyncio.gather(*(make(i) for i in range(count)))
