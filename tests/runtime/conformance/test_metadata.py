"""Metadata: headers of the client, headers and trailers of the server, and what may stand there."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.runtime.conformance.service import GOOD, Serve, failure, outcome, text

Pairs = tuple[tuple[str, Any], ...]
LEGAL: Pairs = (("a", "1"), ("b", "2"), ("a", " 3 "), ("x-bin", b"\x00\xff"), ("grpc-mine", "x"))
SEEN: Pairs = (("a", "1"), ("a", " 3 "), ("b", "2"), ("x-bin", b"\x00\xff"), ("grpc-mine", "x"))
RESERVED: Pairs = (("te", "x"), ("content-type", "x"), ("user-agent", "x"), ("grpc-timeout", "1S"))
ILLEGAL: tuple[Pairs, ...] = (
    (("Upper", "x"),),
    (("with space", "x"),),
    (("", "x"),),
    ((":path", "x"),),
    (("a", "not ascii: é"),),
    (("a", "two\nlines"),),
)


def looking(seen: list[Any]) -> dict[str, Any]:
    """Handlers that note the headers that the client sent itself."""

    def look(context: Any) -> None:
        pairs = tuple((key, value) for key, value in context.invocation_metadata())
        seen.append(tuple(pair for pair in pairs if pair[0] != "user-agent"))

    async def one(_request: Any, context: Any) -> Any:
        look(context)
        return text()

    async def many(_request: Any, context: Any) -> AsyncIterator[Any]:
        look(context)
        yield text()

    return {"unary_unary": one, "unary_stream": many, "stream_unary": one, "stream_stream": many}


@pytest.mark.parametrize("of", [tuple, list, lambda pairs: grpc.aio.Metadata(*pairs)])
async def test_a_client_s_headers_arrive(serve: Serve, cardinality: str, of: Any) -> None:
    """Values of one key side by side, in their order."""
    seen: list[Any] = []
    async with serve(**looking(seen)) as served:
        await outcome(served.call(cardinality, "a", metadata=of(LEGAL)))
    assert seen == [SEEN]


async def test_what_belongs_to_the_transport_does_not_pass(serve: Serve) -> None:
    seen: list[Any] = []
    async with serve(**looking(seen)) as served:
        await served.call("unary_unary", metadata=(*RESERVED, ("mine", "x")))
    assert seen == [(("mine", "x"),)]


@pytest.mark.parametrize("metadata", ILLEGAL)
async def test_illegal_headers_are_the_client_s_error(serve: Serve, metadata: Pairs) -> None:
    async with serve(**GOOD) as served:
        with pytest.raises(grpc.aio.InternalError):
            await served.call("unary_unary", metadata=metadata)


@pytest.mark.parametrize("metadata", [(("a-bin", "text"),), (("a", 1),)])
async def test_headers_of_a_wrong_type_are_the_client_s_error(
    serve: Serve, metadata: Pairs
) -> None:
    async with serve(**GOOD) as served:
        with pytest.raises(TypeError):
            await served.call("unary_unary", metadata=metadata)


async def test_a_server_s_headers_come_before_its_responses(serve: Serve, cardinality: str) -> None:
    async def one(_request: Any, context: Any) -> Any:
        await context.send_initial_metadata(LEGAL)
        with pytest.raises(grpc.aio.UsageError, match="already sent"):
            await context.send_initial_metadata(LEGAL)
        return text()

    async def many(request: Any, context: Any) -> AsyncIterator[Any]:
        yield await one(request, context)

    handler = many if cardinality.endswith("stream") else one
    async with serve(**{cardinality: handler}) as served:
        call = served.call(cardinality, "a")
        found = await call.initial_metadata()
        assert isinstance(found, grpc.aio.Metadata)
        assert tuple(found) == LEGAL or tuple(found) == SEEN
        assert (await outcome(call))[1] is grpc.StatusCode.OK


async def test_there_are_headers_though_the_server_sent_none(
    serve: Serve, cardinality: str
) -> None:
    async with serve(**GOOD) as served:
        call = served.call(cardinality, "a")
        assert tuple(await call.initial_metadata()) == ()
        await outcome(call)
        assert tuple(await call.trailing_metadata()) == ()


async def test_trailers_are_there_at_the_end_and_the_last_ones_count(
    serve: Serve, cardinality: str
) -> None:
    seen = []

    async def one(_request: Any, context: Any) -> Any:
        context.set_trailing_metadata((("old", "x"),))
        context.set_trailing_metadata([("k", "v"), ("k-bin", b"\x01")])
        seen.append(tuple(context.trailing_metadata()))
        return text()

    async def many(request: Any, context: Any) -> AsyncIterator[Any]:
        yield await one(request, context)

    handler = many if cardinality.endswith("stream") else one
    async with serve(**{cardinality: handler}) as served:
        call = served.call(cardinality, "a")
        await outcome(call)
        assert tuple(await call.trailing_metadata()) == seen[0] == (("k", "v"), ("k-bin", b"\x01"))


@pytest.mark.parametrize("metadata", ILLEGAL)
async def test_illegal_trailers_are_the_server_s_error(serve: Serve, metadata: Pairs) -> None:
    async def end(_request: Any, context: Any) -> Any:
        context.set_trailing_metadata(metadata)
        return text()

    async with serve(unary_unary=end) as served:
        error = await failure(served.call("unary_unary"))
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "Invalid metadata")


async def test_trailers_of_a_wrong_type_are_refused(serve: Serve) -> None:
    async def end(_request: Any, context: Any) -> Any:
        with pytest.raises(TypeError, match="Invalid trailing metadata type"):
            context.set_trailing_metadata((("a", 1),))
        return text("told")

    async with serve(unary_unary=end) as served:
        assert (await served.call("unary_unary")).value == "told"


async def test_a_context_says_what_it_is(serve: Serve) -> None:
    """Before anything was set."""
    seen: list[Any] = []

    async def look(_request: Any, context: Any) -> Any:
        seen.extend((context.code(), context.details(), tuple(context.trailing_metadata())))
        seen.extend((context.time_remaining(), context.done(), context.cancelled()))
        seen.extend((context.peer_identities(), context.peer_identity_key()))
        seen.append(isinstance(context.auth_context(), dict))
        assert context.peer()
        return text()

    async with serve(unary_unary=look) as served:
        await served.call("unary_unary")
    assert seen == [None, "", (), None, False, False, None, None, True]
