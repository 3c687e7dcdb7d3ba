"""A server that stops, and one that is not there."""

import asyncio
from typing import Any

import grpc
import pytest

from tests.runtime.conformance.service import GOOD, Serve, Watched, failure, outcome, text

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("grace", [None, 0, 0.2])
async def test_calls_under_way_are_cancelled_after_the_grace(
    serve: Serve, grace: float | None, cardinality: str
) -> None:
    """Their clients are told; `stop` returns when no handler runs any more."""
    watched = Watched()
    async with serve(**watched.handlers()) as served:
        call = served.call(cardinality, "a")
        await watched.begun.wait()
        stopping = asyncio.create_task(served.server.stop(grace))
        error = await failure(call)
        await asyncio.wait_for(stopping, 5)
        assert watched.over.is_set()
    assert (error.code(), watched.how) == (UNAVAILABLE, "CancelledError")
    assert "Cancelling all calls" in str(error.details())


async def test_within_the_grace_calls_end_well_and_new_ones_are_refused(serve: Serve) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: Any, _context: Any) -> Any:
        begun.set()
        await go_on.wait()
        return text("done")

    async with serve(unary_unary=slow) as served:
        call = served.call("unary_unary")
        await begun.wait()
        stopping = asyncio.create_task(served.server.stop(10))
        await asyncio.sleep(0.05)
        assert (await failure(served.call("unary_unary"))).code() is UNAVAILABLE
        assert not stopping.done()
        go_on.set()
        assert (await call).value == "done"
        await asyncio.wait_for(stopping, 5)


async def test_a_server_that_has_stopped_is_unavailable(serve: Serve, cardinality: str) -> None:
    async with serve(**GOOD) as served:
        await outcome(served.call(cardinality, "a"))
        await served.server.stop(None)
        assert (await failure(served.call(cardinality, "a"))).code() is UNAVAILABLE


async def test_a_server_can_be_stopped_twice(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        await served.server.stop(None)
        await served.server.stop(1)
        assert await served.server.wait_for_termination(1) is False


async def test_a_running_server_does_not_terminate(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        assert await served.server.wait_for_termination(0.05) is True


async def test_a_channel_becomes_ready(serve: Serve) -> None:
    async with serve(**GOOD) as served:
        await asyncio.wait_for(served.channel.channel_ready(), 5)
        assert served.channel.get_state() is grpc.ChannelConnectivity.READY
