"""Whoever breaks a call off, and whenever: the other side learns of it, and nothing is left."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.runtime.conformance.service import (
    GOOD,
    Serve,
    Watched,
    at_once,
    outcome,
    text,
    until,
)

CANCELLED = grpc.StatusCode.CANCELLED


async def test_a_cancelled_call_cancels_its_handler(serve: Serve, cardinality: str) -> None:
    """At once, and the caller gets CancelledError."""
    watched = Watched()
    async with serve(**watched.handlers()) as served:
        call = served.call(cardinality, "a")
        await watched.begun.wait()
        assert (call.cancel(), call.cancel()) == (True, False)
        assert (call.done(), call.cancelled()) == (True, True)
        await asyncio.wait_for(watched.over.wait(), 5)
        with pytest.raises(asyncio.CancelledError):
            await outcome(call)
        assert (await call.code(), await call.details()) == (
            CANCELLED,
            "Locally cancelled by application!",
        )
    assert watched.how == "CancelledError"


async def test_a_cancelled_task_cancels_the_call_it_waits_for(
    serve: Serve, cardinality: str
) -> None:
    watched = Watched()
    async with serve(**watched.handlers()) as served:
        call = served.call(cardinality, "a")
        waiting = asyncio.create_task(outcome(call))
        await watched.begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(watched.over.wait(), 5)
        assert await call.code() is CANCELLED
    assert watched.how == "CancelledError"


async def test_a_call_that_is_cancelled_before_it_began_never_begins(
    serve: Serve, cardinality: str
) -> None:
    watched = Watched()
    async with serve(**watched.handlers()) as served:
        call = served.call(cardinality, "a")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outcome(call)
        assert not watched.begun.is_set()
        assert await served.server.stop(1) is None


async def test_what_was_not_read_when_one_cancels_is_gone(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        call = served.call("unary_stream", "a")
        assert (await call.read()).value == "a"
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.read()


async def test_an_iteration_of_a_cancelled_call_ends(serve: Serve) -> None:
    async with serve(**Watched().handlers()) as served:
        call = served.call("unary_stream")
        iterator = call.__aiter__()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await anext(iterator)
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)


async def test_a_writer_whose_client_goes_away_is_stopped(serve: Serve) -> None:
    """Also while the window is full."""
    ended = asyncio.Event()

    async def flood(_request: Any, context: Any) -> None:
        try:
            while True:
                await context.write(text("x" * 65_536))
        finally:
            ended.set()

    async with serve(unary_stream=flood) as served:
        call = served.call("unary_stream")
        await call.read()
        call.cancel()
        await asyncio.wait_for(ended.wait(), 5)


async def test_a_handler_may_take_its_time_to_end(serve: Serve) -> None:
    """The client does not wait for it."""
    cleaned = asyncio.Event()
    watched = Watched()
    wait = watched.handlers()["unary_unary"]

    async def careful(request: Any, context: Any) -> Any:
        try:
            await wait(request, context)
        finally:
            await asyncio.sleep(0.05)
            cleaned.set()

    async with serve(unary_unary=careful) as served:
        call = served.call("unary_unary")
        await watched.begun.wait()
        call.cancel()
        assert await call.code() is CANCELLED
        await asyncio.wait_for(cleaned.wait(), 5)


async def test_a_handler_that_ignores_its_cancellation_changes_nothing(serve: Serve) -> None:
    ended = asyncio.Event()
    watched = Watched()
    wait = watched.handlers()["unary_unary"]

    async def stubborn(request: Any, context: Any) -> Any:
        try:
            await wait(request, context)
        except asyncio.CancelledError:
            ended.set()
        return text("too late")

    async with serve(unary_unary=stubborn) as served:
        call = served.call("unary_unary")
        await watched.begun.wait()
        call.cancel()
        await asyncio.wait_for(ended.wait(), 5)
        assert await call.code() is CANCELLED


async def test_requests_that_fail_cancel_the_call(serve: Serve) -> None:
    """The client's own iterator raises."""

    async def broken() -> AsyncIterator[Any]:
        yield text("a")
        raise ValueError("mine")

    async with serve(**GOOD) as served:
        for cardinality in ("stream_unary", "stream_stream"):
            call = served.method(cardinality)(broken())
            with pytest.raises(asyncio.CancelledError):
                await outcome(call)
            assert await call.code() is CANCELLED


async def test_a_server_may_answer_before_it_has_read_everything(serve: Serve) -> None:
    async def endless() -> AsyncIterator[Any]:
        while True:
            yield text("x")
            await asyncio.sleep(0)

    async def early(_requests: Any, _context: Any) -> Any:
        return text("enough")

    async with serve(stream_unary=early) as served:
        assert (await served.method("stream_unary")(endless())).value == "enough"
        call = served.method("stream_unary")()
        assert (await call).value == "enough"
        with pytest.raises(asyncio.InvalidStateError, match="already finished"):
            await call.write(text())


async def test_a_call_that_nobody_waits_for_is_served(serve: Serve) -> None:
    """Its object may be gone."""
    ended = []

    async def slow(request: Any, _context: Any) -> Any:
        await asyncio.sleep(0.05)
        ended.append(request.value)
        return text()

    async def slow_stream(request: Any, context: Any) -> AsyncIterator[Any]:
        yield await slow(request, context)

    async with serve(unary_unary=slow, unary_stream=slow_stream) as served:
        for cardinality in ("unary_unary", "unary_stream"):
            served.call(cardinality, cardinality)
        gc.collect()
        await until(lambda: len(ended) == 2)


async def test_two_hundred_calls_cancelled_at_any_moment_leave_no_task(
    serve: Serve, cardinality: str
) -> None:
    async def some(i: int) -> None:
        call = served.call(cardinality, "a")
        for _ in range(i % 12):
            await asyncio.sleep(0)
        call.cancel()
        await call.code()

    async with serve(**GOOD) as served:
        await outcome(served.call(cardinality, "a"))
        before = len(asyncio.all_tasks())
        await at_once(200, some)
        await until(lambda: len(asyncio.all_tasks()) <= before)
        assert (await outcome(served.call(cardinality, "a")))[1] is grpc.StatusCode.OK


async def test_closing_a_channel_cancels_its_calls(serve: Serve, cardinality: str) -> None:
    watched = Watched()
    async with serve(**watched.handlers()) as served:
        call = served.call(cardinality, "a")
        await watched.begun.wait()
        await served.channel.close()
        assert await call.code() is CANCELLED
        await asyncio.wait_for(watched.over.wait(), 5)


async def test_closing_a_channel_with_grace_lets_calls_end(serve: Serve) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: Any, _context: Any) -> Any:
        begun.set()
        await go_on.wait()
        return text("done")

    async with serve(unary_unary=slow) as served:
        call = served.call("unary_unary")
        await begun.wait()
        closing = asyncio.create_task(served.channel.close(5))
        await asyncio.sleep(0)
        go_on.set()
        assert (await call).value == "done"
        await closing
