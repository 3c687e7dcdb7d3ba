"""The client's chain sees every call of every kind go out and end, over a socket and in process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from servers.runtime.in_process import InProcessChannel
from servers.runtime.interceptors.sending import Begin, Ended, Outgoing, Sending
from servers.runtime.interceptors.sending_channel import SendingChannel
from tests.runtime.conformance.service import (
    GOOD,
    NAME,
    Serve,
    Served,
    Watched,
    outcome,
    serving,
    text,
    until,
)

OK = grpc.StatusCode.OK


class Notes:
    """Two interceptors that note what they see."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.sending = Sending((self._of("outer"), self._of("inner"), _limit))

    def _of(self, name: str) -> Any:
        def of(method: str) -> Begin:
            self.seen.append((name, "asked for", method.rpartition("/")[2]))

            def begin(call: Outgoing) -> Ended:
                call.headers.append(("x-passed", name))
                return lambda code: self.seen.append((name, code))

            return begin

        return of


def _limit(_method: str) -> Begin:
    def begin(call: Outgoing) -> None:
        call.timeout = call.timeout or 30

    return begin


@pytest.fixture
def notes() -> Notes:
    return Notes()


@asynccontextmanager
async def sent(transport: str, notes: Notes, **handlers: Any) -> AsyncIterator[Served]:
    """A server, and a channel to it with the two interceptors."""
    async with serving(transport, **handlers) as served:
        plain = served.channel
        if isinstance(plain, InProcessChannel):
            served.channel = InProcessChannel(plain.port, notes.sending)
        else:
            served.channel = SendingChannel(plain, notes.sending)
        yield served


@pytest.fixture(params=["socket", "in_process"])
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def test_they_add_to_calls_and_are_told_the_end(
    transport: str, notes: Notes, cardinality: str
) -> None:
    """The inner one first; each is asked for a method once."""
    headers: list[Any] = []

    async def one(_request: Any, context: Any) -> Any:
        headers.extend(v for k, v in context.invocation_metadata() if k == "x-passed")
        headers.append(context.time_remaining() > 5)
        return await GOOD["unary_unary"](_request, context)

    handlers = {**GOOD, "unary_unary": one}
    async with sent(transport, notes, **handlers) as served:
        method = served.method(cardinality)
        for _ in range(2):
            call = method(_request_of(cardinality))
            assert (await outcome(call))[1] is OK
            await until(lambda: notes.seen[-1] == ("outer", OK))
    asked = [(name, "asked for", cardinality) for name in ("outer", "inner")]
    assert notes.seen == [*asked, *[("inner", OK), ("outer", OK)] * 2]
    if cardinality == "unary_unary":
        assert headers == ["outer", "inner", True] * 2


def _request_of(cardinality: str) -> Any:
    return iter([text("a")]) if cardinality.startswith("stream") else text("a")


async def test_they_are_told_of_a_cancelled_call(
    transport: str, notes: Notes, cardinality: str
) -> None:
    watched = Watched()
    async with sent(transport, notes, **watched.handlers()) as served:
        call = served.call(cardinality, "a")
        await watched.begun.wait()
        call.cancel()
        await asyncio.wait_for(watched.over.wait(), 5)
    assert notes.seen[-2:] == [(n, grpc.StatusCode.CANCELLED) for n in ("inner", "outer")]


async def test_they_are_told_of_a_call_that_never_reached_a_server(
    transport: str, notes: Notes, cardinality: str
) -> None:
    async with sent(transport, notes, **GOOD) as served:
        await served.server.stop(None)
        assert (await outcome(served.call(cardinality, "a")))[1] is grpc.StatusCode.UNAVAILABLE
        await until(lambda: notes.seen[-1][0] == "outer")
    assert notes.seen[-2:] == [(n, grpc.StatusCode.UNAVAILABLE) for n in ("inner", "outer")]


async def test_requests_may_be_given_by_name(transport: str, notes: Notes) -> None:
    async with sent(transport, notes, **GOOD) as served:
        assert (await served.method("unary_unary")(request=text("a"))).value == "a"
        requests = iter([text("a")])
        assert (await served.method("stream_unary")(request_iterator=requests)).value == "a"


async def test_a_call_is_the_channel_s_own(transport: str, notes: Notes) -> None:
    """Nothing of it is hidden."""
    async with sent(transport, notes, **GOOD) as served:
        call = served.call("unary_stream", "a", timeout=9)
        assert 0 < call.time_remaining() <= 9
        await call.read()
        with pytest.raises(grpc.aio.UsageError):
            call.__aiter__()


async def test_the_path_is_that_of_the_method(serve: Serve) -> None:
    """As handlers and interceptors of servers know it."""
    seen = []

    def of(method: str) -> Begin:
        seen.append(method)
        return lambda _call: None

    async with serve(**GOOD) as served:
        SendingChannel(served.channel, Sending((of,))).unary_unary(f"/{NAME}/unary_unary")
    assert seen == [f"/{NAME}/unary_unary"]
