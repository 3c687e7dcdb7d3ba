"""What is so in process only: ports, and what a socket leaves open."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from servers.runtime.in_process import InProcessChannel, InProcessServer, Port
from tests.runtime.conformance.service import (
    CARDINALITIES,
    GOOD,
    Served,
    failure,
    outcome,
    serving,
    text,
    until,
)

INSIDE = "in_process"


async def test_a_port_has_one_server() -> None:
    port = Port("chat_hub")
    first, second = InProcessServer(port), InProcessServer(port)
    await first.start()
    with pytest.raises(RuntimeError, match="chat_hub"):
        await second.start()
    await second.stop(None)
    assert port.server is first
    await first.stop(None)
    await second.start()
    assert port.server is second


async def test_a_call_to_a_port_where_nobody_listens_is_unavailable() -> None:
    port = Port()
    async with InProcessChannel(port) as channel:
        served = Served(InProcessServer(port), channel)
        assert (await failure(served.call("unary_unary"))).code() is grpc.StatusCode.UNAVAILABLE
        assert channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE


async def test_a_channel_may_be_opened_before_its_server_listens() -> None:
    port = Port()
    async with InProcessChannel(port) as channel:
        ready = asyncio.create_task(channel.channel_ready())
        await asyncio.sleep(0)
        assert not ready.done()
        server = InProcessServer(port)
        await server.start()
        await asyncio.wait_for(ready, 5)
        gone = asyncio.create_task(channel.wait_for_state_change(grpc.ChannelConnectivity.READY))
        await asyncio.sleep(0)
        await server.stop(None)
        await asyncio.wait_for(gone, 5)


async def test_a_handler_that_is_cancelled_by_others_than_its_client_says_so() -> None:
    """Over a socket its client would wait for ever."""

    async def cancelled(_request: Any, _context: Any) -> Any:
        raise asyncio.CancelledError

    async with serving(INSIDE, unary_unary=cancelled) as served:
        error = await failure(served.call("unary_unary"))
    assert error.code() is grpc.StatusCode.CANCELLED


async def test_a_method_that_streams_otherwise_is_unimplemented() -> None:
    """Stub and servicer are of different contracts."""
    async with serving(INSIDE, **GOOD) as served:
        wrong = served.channel.unary_stream("/conformance.Service/unary_unary")
        error = await failure(wrong(b""))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_handler_that_swallows_its_cancellation_is_told_again() -> None:
    """A server stops all the same."""
    begun, told = asyncio.Event(), []

    async def stubborn(_request: Any, _context: Any) -> Any:
        begun.set()
        while len(told) < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.append(1)
        return text()

    async with serving(INSIDE, unary_unary=stubborn) as served:
        call = served.call("unary_unary")
        await begun.wait()
        await asyncio.wait_for(served.server.stop(None), 10)
        assert await call.code() is grpc.StatusCode.UNAVAILABLE


async def test_callbacks_that_fail_harm_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the other side nor the callbacks after them."""
    seen = []

    def fail(_call: Any) -> None:
        raise ValueError("mine")

    async def with_callbacks(_request: Any, context: Any) -> Any:
        context.add_done_callback(fail)
        context.add_done_callback(seen.append)
        return text("fine")

    async with serving(INSIDE, unary_unary=with_callbacks) as served:
        call = served.call("unary_unary")
        call.add_done_callback(fail)
        call.add_done_callback(seen.append)
        assert (await call).value == "fine"
    assert (len(seen), len(caplog.records)) == (2, 2)


async def test_a_burst_of_messages_is_read_though_the_stream_has_ended() -> None:
    async with serving(INSIDE, **GOOD) as served:
        call = served.call("stream_stream", *"abcdef")
        await asyncio.sleep(0.01)
        assert (await outcome(call))[0] == list("abcdef")


@pytest.mark.parametrize("cardinality", CARDINALITIES)
@pytest.mark.parametrize("aborted", [False, True])
async def test_a_call_that_is_over_leaves_nothing_to_the_garbage_collector(
    cardinality: str, aborted: bool
) -> None:
    """It runs rarely, and what it would find could hold requests of megabytes."""
    left: list[weakref.ref[Any]] = []

    async def end(_request: Any, context: Any) -> Any:
        left.append(weakref.ref(context))
        if aborted:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no")
        return text()

    async def end_stream(request: Any, context: Any) -> AsyncIterator[Any]:
        yield await end(request, context)

    handler = end_stream if cardinality.endswith("stream") else end
    async with serving(INSIDE, **{cardinality: handler}) as served:
        gc.disable()
        try:
            call = served.call(cardinality, "a")
            left.append(weakref.ref(call))
            await outcome(call)
            del call
            await until(lambda: len(left) == 2 and not any(ref() for ref in left))
        finally:
            gc.enable()


async def test_it_has_no_port_of_a_socket() -> None:
    server = InProcessServer(Port())
    with pytest.raises(NotImplementedError):
        server.add_insecure_port("127.0.0.1:0")


async def test_a_call_tells_where_it_stands() -> None:
    async with serving(INSIDE, **GOOD) as served:
        call = served.call("unary_unary", "a")
        assert "under way" in repr(call)
        await call
        assert "StatusCode.OK" in repr(call)
