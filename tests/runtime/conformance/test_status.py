"""How calls end, and who is told what."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from tests.runtime.conformance.service import GOOD, NAME, Serve, failure, outcome, text

NOT_FOUND = grpc.StatusCode.NOT_FOUND
OK = grpc.StatusCode.OK
TRAILERS = (("k", "v"), ("k", "w"), ("k-bin", b"\x00\xff"))


def handler_of(cardinality: str, end: Callable[[Any], Any]) -> Any:
    """One that awaits `end` with its context."""

    async def one(_request: Any, context: Any) -> Any:
        await end(context)
        return text("never mind")

    async def many(_request: Any, context: Any) -> AsyncIterator[Any]:
        yield text("first")
        await end(context)

    return {cardinality: many if cardinality.endswith("stream") else one}


async def test_an_aborted_call_ends_with_what_was_said(serve: Serve, cardinality: str) -> None:
    """Status, details, trailers; after the responses that came before."""

    async def end(context: Any) -> None:
        await context.abort(NOT_FOUND, "no such thing", TRAILERS)

    async with serve(**handler_of(cardinality, end)) as served:
        error = await failure(served.call(cardinality, "a"))
        found, code = await outcome(served.call(cardinality, "a"))
    assert (error.code(), error.details()) == (NOT_FOUND, "no such thing")
    assert tuple(error.trailing_metadata()) == TRAILERS
    assert (code, found) == (NOT_FOUND, ["first"] if cardinality.endswith("stream") else [])


async def test_an_abort_uses_what_was_set_before(serve: Serve) -> None:
    async def end(context: Any) -> None:
        context.set_trailing_metadata(TRAILERS)
        context.set_details("set before")
        await context.abort(NOT_FOUND)

    async with serve(**handler_of("unary_unary", end)) as served:
        error = await failure(served.call("unary_unary"))
    assert (error.details(), tuple(error.trailing_metadata())) == ("set before", TRAILERS)


async def test_a_handler_that_goes_on_after_its_abort_is_stopped(serve: Serve) -> None:
    seen = []

    async def end(context: Any) -> None:
        for attempt in (
            lambda: context.abort(NOT_FOUND, "gone"),
            lambda: context.abort(NOT_FOUND, "again"),
            lambda: context.write(text()),
        ):
            try:
                await attempt()
            except grpc.aio.BaseError as error:
                seen.append(type(error))
        seen.append((context.code(), context.details(), context.done(), context.cancelled()))

    async with serve(**handler_of("unary_unary", end)) as served:
        error = await failure(served.call("unary_unary"))
    assert error.details() == "gone"
    assert seen == [
        grpc.aio.AbortError,
        grpc.aio.UsageError,
        grpc.aio.AbortError,
        (NOT_FOUND, "gone", True, False),
    ]


async def test_a_code_that_a_handler_sets_is_the_call_s(serve: Serve, cardinality: str) -> None:
    async def end(context: Any) -> None:
        context.set_code(NOT_FOUND)
        context.set_details("looked everywhere")
        context.set_trailing_metadata(TRAILERS)

    async with serve(**handler_of(cardinality, end)) as served:
        error = await failure(served.call(cardinality, "a"))
    assert (error.code(), error.details()) == (NOT_FOUND, "looked everywhere")
    assert tuple(error.trailing_metadata()) == TRAILERS


async def test_an_exception_is_unknown(serve: Serve, cardinality: str) -> None:
    """Unless the handler set a code before."""

    async def end(context: Any) -> None:
        raise ValueError("boom")

    async def with_code(context: Any) -> None:
        context.set_code(NOT_FOUND)
        raise ValueError("boom")

    for how, code in ((end, grpc.StatusCode.UNKNOWN), (with_code, NOT_FOUND)):
        async with serve(**handler_of(cardinality, how)) as served:
            error = await failure(served.call(cardinality, "a"))
        assert (error.code(), error.details()) == (code, "Unexpected <class 'ValueError'>: boom")


async def test_a_good_call_s_end(serve: Serve, cardinality: str) -> None:
    async with serve(**GOOD) as served:
        call = served.call(cardinality, "a")
        assert not call.done()
        await outcome(call)
        assert (await call.code(), await call.details()) == (OK, "")
        assert (call.done(), call.cancelled(), call.cancel()) == (True, False, False)
        assert tuple(await call.trailing_metadata()) == ()


async def test_an_unknown_method_is_unimplemented(serve: Serve, cardinality: str) -> None:
    async with serve(**GOOD) as served:
        of = getattr(served.channel, cardinality)
        for path in (f"/{NAME}/nonsense", "nonsense"):
            error = await failure(of(path)(b"" if cardinality.startswith("unary") else iter([b""])))
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED
            assert error.details() == "Method not found!"


async def test_done_callbacks_are_told_once_and_late_ones_at_once(
    serve: Serve, cardinality: str
) -> None:
    seen: list[Any] = []
    async with serve(**GOOD) as served:
        call = served.call(cardinality, "a")
        call.add_done_callback(lambda ended: seen.append((ended is call, ended.done())))
        await outcome(call)
        call.add_done_callback(lambda _: seen.append("late"))
    assert seen == [(True, True), "late"]


async def test_a_handler_s_done_callbacks_are_told(serve: Serve) -> None:
    seen = asyncio.Queue[Any]()

    async def end(context: Any) -> None:
        context.add_done_callback(lambda ended: seen.put_nowait((ended is context, ended.done())))

    async with serve(**handler_of("unary_unary", end)) as served:
        await served.call("unary_unary")
        assert await asyncio.wait_for(seen.get(), 5) == (True, True)


async def test_the_status_comes_after_the_last_message_was_read(serve: Serve) -> None:
    async def end(context: Any) -> None:
        await context.abort(NOT_FOUND)

    async with serve(**handler_of("unary_stream", end)) as served:
        call = served.call("unary_stream")
        await call.initial_metadata()
        await asyncio.sleep(0.1)  # the abort has long arrived
        assert not call.done()
        assert (await call.read()).value == "first"
        assert await call.code() is NOT_FOUND


async def test_the_status_can_be_waited_for_by_many(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        call = served.call("unary_unary", "a")
        found = await asyncio.gather(call.code(), call, call.code(), call.details())
    assert (found[0], found[1].value, found[2], found[3]) == (OK, "a", OK, "")


async def test_a_closed_channel_takes_no_calls(serve: Serve, cardinality: str) -> None:
    async with serve(**GOOD) as served:
        await served.channel.close()
        with pytest.raises(grpc.aio.UsageError, match="Channel is closed"):
            await served.call(cardinality)
        assert served.channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN


async def test_an_error_s_text_says_what_it_was(serve: Serve) -> None:
    async def end(context: Any) -> None:
        await context.abort(NOT_FOUND, "no such thing")

    async with serve(**handler_of("unary_unary", end)) as served:
        error = await failure(served.call("unary_unary"))
    assert "NOT_FOUND" in str(error)
    assert "no such thing" in str(error)
    assert error.debug_error_string()
