"""Every call has a span on each side, with the status it ended with."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from kari.chat_hub.v1.chat_hub_pb2 import FollowTurnRequest, FollowTurnResponse
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import NotFound
from tests.runtime.mesh import TURN, Mesh, get_conversation

GET = "kari.chat_hub.v1.ChatHubService/GetConversation"
FOLLOW = "kari.chat_hub.v1.ChatHubService/FollowTurn"
PARENT = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


async def span_of(spans: InMemorySpanExporter, name: str, count: int = 1) -> ReadableSpan:
    """The server's span of a method, once it has ended."""
    async with asyncio.timeout(5):
        while True:
            found = [s for s in spans.get_finished_spans() if s.name == name]
            if len(found) == count:
                return found[-1]
            await asyncio.sleep(0.01)


def code_of(span: ReadableSpan) -> tuple[Any, StatusCode]:
    assert span.attributes is not None
    return span.attributes["rpc.grpc.status_code"], span.status.status_code


async def test_a_good_call_s_span_is_not_an_error(mesh: Mesh, spans: InMemorySpanExporter) -> None:
    """It lies under the client's and carries the correlation id."""
    metadata = (*mesh.as_user(), PARENT, ("x-correlation-id", "mine"))
    await (await mesh.user_stub()).GetConversation(get_conversation(), metadata=metadata)
    span = await span_of(spans, GET)
    assert code_of(span) == (0, StatusCode.UNSET)
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert span.attributes is not None
    assert span.attributes["kari.correlation_id"] == "mine"


async def nowhere(_request: Any) -> None:
    raise NotFound(Reason.REASON_TURN_NOT_FOUND, "gone")


async def defect(_request: Any) -> None:
    raise ValueError("hunter2")


async def hang(_request: Any) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (nowhere, grpc.StatusCode.NOT_FOUND),
        (defect, grpc.StatusCode.INTERNAL),
        (hang, grpc.StatusCode.DEADLINE_EXCEEDED),
    ],
)
async def test_a_failed_call_s_span_has_its_status(
    mesh: Mesh, spans: InMemorySpanExporter, answer: Any, code: grpc.StatusCode
) -> None:
    """And no word of what was inside."""
    mesh.hub.answer = answer
    stub = await mesh.user_stub()
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.GetConversation(get_conversation(), metadata=mesh.as_user(), timeout=0.3)
    span = await span_of(spans, GET)
    assert code_of(span) == (code.value[0], StatusCode.ERROR)
    assert "hunter2" not in span.to_json()


async def test_a_refused_call_s_span_has_its_status(
    mesh: Mesh, spans: InMemorySpanExporter
) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await (await mesh.user_stub()).GetConversation(get_conversation())
    assert code_of(await span_of(spans, GET)) == (16, StatusCode.ERROR)


async def test_a_call_that_its_client_cancels_has_a_cancelled_span(
    mesh: Mesh, spans: InMemorySpanExporter
) -> None:
    begun = asyncio.Event()

    async def answer(_request: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    mesh.hub.answer = answer
    call = (await mesh.user_stub()).GetConversation(get_conversation(), metadata=mesh.as_user())
    await begun.wait()
    call.cancel()
    assert code_of(await span_of(spans, GET)) == (1, StatusCode.ERROR)


async def one_event(_request: Any) -> AsyncGenerator[FollowTurnResponse, None]:
    yield FollowTurnResponse()


async def one_and_a_defect(_request: Any) -> AsyncGenerator[FollowTurnResponse, None]:
    yield FollowTurnResponse()
    raise ValueError("hunter2")


async def events_for_ever(_request: Any) -> AsyncGenerator[FollowTurnResponse, None]:
    while True:
        yield FollowTurnResponse()


@pytest.mark.parametrize(
    ("events", "code"), [(one_event, 0), (one_and_a_defect, 13), (events_for_ever, 1)]
)
async def test_a_stream_s_span_has_its_status(
    mesh: Mesh, spans: InMemorySpanExporter, events: Any, code: int
) -> None:
    """Read to its end, broken off inside, or left by its reader."""
    mesh.hub.events = events
    call = (await mesh.user_stub()).FollowTurn(
        FollowTurnRequest(turn_id=TURN), metadata=mesh.as_user()
    )
    await call.read()
    if code == 1:
        call.cancel()
    await call.code()
    assert code_of(await span_of(spans, FOLLOW))[0] == code


async def test_two_hops_are_one_trace(mesh: Mesh, spans: InMemorySpanExporter) -> None:
    """Server, client, server, client, server: each under the one before."""
    mesh.pass_on()
    metadata = (*mesh.as_user(), PARENT)
    await (await mesh.user_stub()).GetConversation(get_conversation(), metadata=metadata)
    await span_of(spans, GET)
    last = await span_of(spans, "kari.production_memory.v1.ProductionMemoryService/GetTurn", 2)
    manager = "kari.conversation_manager.v1.ConversationManagerService/GetConversation"
    await span_of(spans, manager, 2)
    assert last.context is not None
    by_id = {s.context.span_id: s for s in spans.get_finished_spans() if s.context}
    kinds, span = [], next(s for s in by_id.values() if s.name == last.name and _served(s))
    while span.parent and span.parent.span_id in by_id:
        kinds.append(span.kind)
        span = by_id[span.parent.span_id]
    assert [*kinds, span.kind] == [SpanKind.SERVER, SpanKind.CLIENT] * 2 + [SpanKind.SERVER]
    assert len({s.context.trace_id for s in by_id.values() if s.context}) == 1


def _served(span: ReadableSpan) -> bool:
    return span.kind is SpanKind.SERVER


async def test_a_client_s_span_has_the_status_of_the_peer_s_answer(
    mesh: Mesh, spans: InMemorySpanExporter
) -> None:
    mesh.pass_on()
    mesh.memory.answer = nowhere
    with pytest.raises(grpc.aio.AioRpcError):
        await (await mesh.user_stub()).GetConversation(get_conversation(), metadata=mesh.as_user())
    await span_of(spans, "kari.production_memory.v1.ProductionMemoryService/GetTurn", 2)
    codes = {s.kind: code_of(s)[0] for s in spans.get_finished_spans() if "GetTurn" in s.name}
    assert codes == {SpanKind.SERVER: 5, SpanKind.CLIENT: 5}


async def test_a_client_s_span_of_a_cancelled_stream_ends(
    mesh: Mesh, spans: InMemorySpanExporter
) -> None:
    """The hub's reader goes, the hub cancels its own call."""
    mesh.relay(events_for_ever)
    stub = await mesh.user_stub()
    call = stub.FollowTurn(FollowTurnRequest(turn_id=TURN), metadata=mesh.as_user())
    await call.read()
    call.cancel()
    await span_of(spans, "kari.stream_processor.v1.StreamProcessorService/Follow", 2)
    codes = {s.kind: code_of(s)[0] for s in spans.get_finished_spans() if "Follow" in s.name}
    assert codes == {SpanKind.SERVER: 1, SpanKind.CLIENT: 1}
