"""Calls whose time is over."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.runtime.conformance.service import Serve, Watched, at_once, failure, outcome, text

LATE = grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_deadline_ends_both_sides(serve: Serve, cardinality: str) -> None:
    watched = Watched()
    async with serve(**watched.handlers()) as served:
        call = served.call(cardinality, "a", timeout=0.2)
        assert 0 < call.time_remaining() <= 0.2
        error = await failure(call)
        await asyncio.wait_for(watched.over.wait(), 5)
    assert error.code() is LATE
    assert "Deadline Exceeded" in str(error.details())
    assert (watched.how, call.time_remaining()) == ("CancelledError", 0)


async def test_a_deadline_in_the_past_is_over(serve: Serve, cardinality: str) -> None:
    async with serve(**Watched().handlers()) as served:
        error = await failure(served.call(cardinality, "a", timeout=-1))
    assert (error.code(), error.details()) == (LATE, "Deadline Exceeded")


async def test_a_handler_knows_how_much_time_remains(serve: Serve) -> None:
    seen = []

    async def look(_request: Any, context: Any) -> Any:
        seen.append(context.time_remaining())
        return text()

    async with serve(unary_unary=look) as served:
        await served.call("unary_unary", timeout=60)
        call = served.call("unary_unary")
        assert call.time_remaining() is None
        await call
    assert seen == [pytest.approx(60, abs=5), None]


async def test_what_was_not_read_by_the_deadline_is_gone(serve: Serve) -> None:
    async def three(_request: Any, _context: Any) -> AsyncIterator[Any]:
        for i in range(3):
            yield text(str(i))
        await asyncio.Event().wait()

    async with serve(unary_stream=three) as served:
        call = served.call("unary_stream", timeout=0.3)
        assert (await call.read()).value == "0"
        assert await call.code() is LATE
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError, match="DEADLINE_EXCEEDED"):
                await call.read()


async def test_answers_and_deadlines_that_meet_are_one_or_the_other(serve: Serve) -> None:
    async def nearly(_request: Any, _context: Any) -> Any:
        await asyncio.sleep(0.05)
        return text("just so")

    async def some(_: int) -> Any:
        return await outcome(served.call("unary_unary", timeout=0.05))

    async with serve(unary_unary=nearly) as served:
        for found in await at_once(50, some):
            assert found in ((["just so"], grpc.StatusCode.OK), ([], LATE))
