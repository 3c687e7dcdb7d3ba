"""Iterating, or reading and writing by hand; not both."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.runtime.conformance.service import GOOD, Serve, outcome, text

MIXED = "may not be mixed"
EOF = grpc.aio.EOF


async def test_a_stream_is_read_to_its_end(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        call = served.call("unary_stream", "a")
        found = [await call.read() for _ in range(4)]
    assert ([m.value for m in found[:2]], found[2:]) == (["a", "a"], [EOF, EOF])


async def test_a_conversation_goes_back_and_forth(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        call = served.method("stream_stream")()
        await call.wait_for_connection()
        for word in ("one", "two"):
            await call.write(text(word))
            assert (await call.read()).value == word
        await call.done_writing()
        assert await call.read() is EOF
        assert await call.code() is grpc.StatusCode.OK


async def test_requests_may_come_from_any_iterator(serve: Serve) -> None:
    async def words() -> AsyncIterator[Any]:
        for word in "abc":
            yield text(word)

    async with serve(**GOOD) as served:
        for requests in (words(), [text(w) for w in "abc"], iter([text("abc")])):
            assert (await served.method("stream_unary")(requests)).value == "abc"


async def test_reading_and_iterating_do_not_mix(serve: Serve, cardinality: str) -> None:
    if not cardinality.endswith("stream"):
        return
    async with serve(**GOOD) as served:
        call = served.call(cardinality, "a", "b")
        await call.read()
        with pytest.raises(grpc.aio.UsageError, match=MIXED):
            call.__aiter__()
        call = served.call(cardinality, "a", "b")
        call.__aiter__()
        with pytest.raises(grpc.aio.UsageError, match=MIXED):
            await call.read()


async def test_writing_and_giving_an_iterator_do_not_mix(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        call = served.call("stream_unary", "a")
        with pytest.raises(grpc.aio.UsageError, match=MIXED):
            await call.write(text())
        with pytest.raises(grpc.aio.UsageError, match=MIXED):
            await call.done_writing()
        assert (await call).value == "a"


async def test_nothing_is_written_after_the_last(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        call = served.method("stream_unary")()
        await call.write(text("a"))
        await call.done_writing()
        await call.done_writing()
        with pytest.raises(asyncio.InvalidStateError, match="half closed"):
            await call.write(text("b"))
        assert (await call).value == "a"
        with pytest.raises(asyncio.InvalidStateError, match="already finished"):
            await call.write(text("b"))
        await call.done_writing()


async def test_an_iteration_that_was_left_goes_on(serve: Serve) -> None:
    """Breaking off is not cancelling."""
    async with serve(**GOOD) as served:
        call = served.call("stream_stream", "a", "b", "c")
        async for first in call:
            assert first.value == "a"
            break
        rest = [response.value async for response in call]
    assert rest == ["b", "c"]


async def test_a_finished_iteration_is_finished(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        call = served.call("unary_stream", "a")
        assert (await outcome(call))[0] == ["a", "a"]
        assert (await outcome(call))[0] == []


async def test_a_handler_may_read_and_write_by_hand(serve: Serve) -> None:
    async def talk(_requests: Any, context: Any) -> None:
        while (request := await context.read()) is not EOF:
            await context.write(text(request.value + "!"))
        assert await context.read() is EOF

    async def sum_up(_requests: Any, context: Any) -> Any:
        return text((await context.read()).value + (await context.read()).value)

    async with serve(stream_stream=talk, stream_unary=sum_up) as served:
        assert (await outcome(served.call("stream_stream", "a", "b")))[0] == ["a!", "b!"]
        assert (await outcome(served.call("stream_unary", "a", "b")))[0] == ["ab"]


async def test_a_handler_with_one_request_reads_no_other(serve: Serve) -> None:
    seen = []

    async def read(request: Any, context: Any) -> Any:
        seen.append(await context.read())
        with pytest.raises(TypeError):
            await context.write(text())
        return request

    async with serve(unary_unary=read) as served:
        assert (await served.call("unary_unary", "a")).value == "a"
    assert seen == [EOF]


async def test_waiting_for_a_connection_ends(serve: Serve, cardinality: str) -> None:
    async with serve(**GOOD) as served:
        call = served.call(cardinality, "a")
        await asyncio.wait_for(call.wait_for_connection(), 5)
        await outcome(call)
        await call.wait_for_connection()


async def test_waiting_for_a_connection_that_fails_raises(serve: Serve, cardinality: str) -> None:
    async with serve(**GOOD) as served:
        await served.server.stop(None)
        call = served.call(cardinality, "a")
        await call.code()
        with pytest.raises(grpc.aio.AioRpcError):
            await call.wait_for_connection()
