"""What is said arrives, as it was when it was said."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.runtime.conformance.service import (
    BYTES,
    GOOD,
    Serve,
    at_once,
    failure,
    outcome,
    text,
)

MOST = 4 << 20
OK = grpc.StatusCode.OK
FITS = "x" * (MOST - 5)
"""With its tag and its length as large as may be."""


async def test_requests_and_responses_arrive_in_order(serve: Serve, cardinality: str) -> None:
    answers = {
        "unary_unary": ["a"],
        "unary_stream": ["a", "a"],
        "stream_unary": ["abc"],
        "stream_stream": ["a", "b", "c"],
    }
    async with serve(**GOOD) as served:
        found = await outcome(served.call(cardinality, "a", "b", "c"))
    assert found == (answers[cardinality], OK)


async def test_two_hundred_calls_at_once_do_not_mix(serve: Serve, cardinality: str) -> None:
    async with serve(**GOOD) as served:
        found = await at_once(200, lambda i: outcome(served.call(cardinality, str(i))))
    count = 2 if cardinality == "unary_stream" else 1
    assert found == [([str(i)] * count, OK) for i in range(200)]


async def test_a_stream_may_be_empty(serve: Serve) -> None:
    async def none(_request: Any, _context: Any) -> AsyncIterator[Any]:
        for nothing in ():
            yield nothing

    async with serve(unary_stream=none, stream_unary=GOOD["stream_unary"]) as served:
        assert await outcome(served.call("unary_stream")) == ([], OK)
        assert await outcome(served.call("stream_unary")) == ([""], OK)


async def test_a_request_that_is_changed_after_it_was_sent_arrives_as_it_was(serve: Serve) -> None:
    """While the handler is at it, too."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def later(request: Any, _context: Any) -> Any:
        begun.set()
        await go_on.wait()
        return text(request.value)

    async with serve(unary_unary=later) as served:
        request = text("before")
        call = served.method("unary_unary")(request)
        await begun.wait()
        request.value = "after"
        go_on.set()
        assert (await call).value == "before"


async def test_a_written_request_that_is_changed_arrives_as_it_was(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        call = served.method("stream_unary")()
        request = text("a")
        await call.write(request)
        request.value = "b"
        await call.write(request)
        await call.done_writing()
        assert (await call).value == "ab"


async def test_a_response_that_is_changed_after_it_was_sent_arrives_as_it_was(serve: Serve) -> None:
    """A handler may use one message again and again."""

    async def counting(_request: Any, _context: Any) -> AsyncIterator[Any]:
        response = text()
        for i in range(3):
            response.value = str(i)
            yield response

    async with serve(unary_stream=counting) as served:
        call = served.call("unary_stream")
        assert (await outcome(call))[0] == ["0", "1", "2"]


async def test_what_a_server_does_to_a_request_is_its_own_affair(serve: Serve) -> None:
    async def change(request: Any, _context: Any) -> Any:
        request.value += " changed"
        return request

    async with serve(unary_unary=change) as served:
        request = text("mine")
        answer = await served.method("unary_unary")(request)
        answer.value += " again"
        assert (request.value, answer.value) == ("mine", "mine changed again")


async def test_a_call_that_is_awaited_twice_gives_its_response_twice(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        call = served.call("unary_unary", "a")
        assert await call is await call


async def test_a_message_of_four_mebibytes_passes(serve: Serve, cardinality: str) -> None:
    async with serve(**GOOD) as served:
        found, code = await outcome(served.call(cardinality, FITS))
    assert (code, len(found[0])) == (OK, len(FITS))


async def test_a_request_over_four_mebibytes_is_refused(serve: Serve, cardinality: str) -> None:
    """Its handler does not see it."""
    seen = []

    async def one(request: Any, _context: Any) -> Any:
        seen.extend([r async for r in request] if hasattr(request, "__aiter__") else [request])
        return text()

    async def many(request: Any, _context: Any) -> AsyncIterator[Any]:
        yield await one(request, _context)

    handler = many if cardinality.endswith("stream") else one
    async with serve(**{cardinality: handler}) as served:
        error = await failure(served.call(cardinality, FITS + "x"))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "Received message larger than max (4194305 vs. 4194304)" in str(error.details())
    assert seen == []


async def test_a_response_over_four_mebibytes_is_an_error(serve: Serve) -> None:
    async def large(_request: Any, _context: Any) -> Any:
        return text(FITS + "x")

    async def larger(_request: Any, _context: Any) -> AsyncIterator[Any]:
        yield text("a")
        yield text(FITS + "x")
        yield text("b")

    async with serve(unary_unary=large, unary_stream=larger) as served:
        error = await failure(served.call("unary_unary"))
        stream = await outcome(served.call("unary_stream"))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max (4194305 vs. 4194304)" in str(error.details())
    assert stream == (["a"], grpc.StatusCode.RESOURCE_EXHAUSTED)


async def test_a_reader_that_does_not_read_holds_the_writer_up(serve: Serve) -> None:
    """The handler is not asked for more than fits."""
    made = 0

    async def flood(_request: Any, _context: Any) -> AsyncIterator[Any]:
        nonlocal made
        for made in range(1_000):  # noqa: B007  # read below
            yield text("x" * 16_384)

    async with serve(unary_stream=flood) as served:
        call = served.call("unary_stream")
        await call.read()
        assert await _settled(lambda: made) < 900
        assert len([response async for response in _rest(call)]) == 999


async def test_a_handler_that_does_not_read_holds_its_client_up(serve: Serve) -> None:
    written = 0
    go_on = asyncio.Event()

    async def slow(requests: AsyncIterator[Any], _context: Any) -> Any:
        await go_on.wait()
        return text(str(len([1 async for _ in requests])))

    async with serve(stream_unary=slow) as served:
        call = served.method("stream_unary")()

        async def write() -> None:
            nonlocal written
            for written in range(1_000):  # noqa: B007  # read below
                await call.write(text("x" * 16_384))
            await call.done_writing()

        writing = asyncio.create_task(write())
        assert await _settled(lambda: written) < 900
        go_on.set()
        await writing
        assert (await call).value == "1000"


async def _settled(count: Any) -> int:
    """A count that does not rise any more."""
    seen = -1
    while count() != seen:
        seen = count()
        await asyncio.sleep(0.1)
    return int(seen)


async def _rest(call: Any) -> AsyncIterator[Any]:
    while (response := await call.read()) is not grpc.aio.EOF:
        yield response


async def test_bytes_go_through_as_they_are(serve: Serve) -> None:
    """Stubs without serializers, as proxies have them."""

    async def reverse(request: bytes, _context: Any) -> bytes:
        return request[::-1]

    async with serve(BYTES, unary_unary=reverse) as served:
        assert await served.method("unary_unary", BYTES)(b"\x00\xff") == b"\xff\x00"


async def test_what_is_not_bytes_does_not_pass_for_bytes(serve: Serve) -> None:
    """Neither as a request nor as a response."""

    async def number(_request: bytes, _context: Any) -> Any:
        return 5

    async with serve(BYTES, unary_unary=number) as served:
        with pytest.raises(TypeError):
            await served.method("unary_unary", BYTES)(5)
        error = await failure(served.method("unary_unary", BYTES)(b""))
    assert error.code() is grpc.StatusCode.UNKNOWN


async def test_bytes_that_are_no_message_are_an_error_of_the_server(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        with pytest.raises(grpc.aio.AioRpcError, match="Wire format was corrupt") as caught:
            await served.method("unary_unary", BYTES)(b"\xff\xff")
    assert caught.value.code() is grpc.StatusCode.UNKNOWN


def refuse(_message: Any) -> Any:
    raise ValueError("cannot")


async def test_a_server_that_cannot_read_or_write_says_so(serve: Serve, cardinality: str) -> None:
    for codec in ((refuse, text), (text, refuse)):
        async with serve(codec, **{cardinality: GOOD[cardinality]}) as served:
            error = await failure(served.call(cardinality, "a"))
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert error.details() == "Unexpected <class 'ValueError'>: cannot"


async def test_a_client_that_cannot_read_gets_nothing(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """And a line in the log, as grpc.aio has it; what it cannot write goes empty."""
    async with serve(**GOOD) as served:
        write, read = text, text
        unary = served.method("unary_unary", (lambda m: m.SerializeToString(), refuse))
        assert await unary(text("a")) is None
        unary = served.method("unary_unary", (refuse, lambda data: data))
        assert await unary(write("a")) == read("").SerializeToString()
    assert len(caplog.records) == 2
