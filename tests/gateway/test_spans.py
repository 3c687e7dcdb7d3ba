"""One frame, one trace: the gateway's span is its root."""

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.gateway.client import Client, eventually

HUB = "kari.chat_hub.v1.ChatHubService"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """Keeps the spans of this process. A process has one provider for good."""
    kept, provider = InMemorySpanExporter(), trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return kept


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    """The spans of this test."""
    exporter.clear()
    yield exporter
    exporter.clear()


async def ended(exporter: InMemorySpanExporter, name: str, count: int = 1) -> list[ReadableSpan]:
    """The spans of a name, once there are so many."""

    def found() -> list[ReadableSpan]:
        return [span for span in exporter.get_finished_spans() if span.name == name]

    async def enough() -> bool:
        return len(found()) == count

    await eventually(enough)
    return found()


async def test_a_turn_is_one_trace_from_the_frame_on(
    client: Client, spans: InMemorySpanExporter
) -> None:
    """Sending and following, on both sides of the hub."""
    await client.send(correlationId="c.1", sendMessage={"content": "stream 1", "requestId": "r"})
    await client.expect("ack")
    await client.events()
    (root,) = await ended(spans, "gateway SendMessage")
    others = [
        *await ended(spans, "gateway FollowTurn"),
        *await ended(spans, f"{HUB}/SendMessage", 2),
        *await ended(spans, f"{HUB}/FollowTurn", 2),
    ]
    assert root.parent is None
    assert root.attributes is not None
    assert root.attributes["kari.module"] == "gateway"
    assert root.attributes["kari.correlation_id"] == "c.1"
    assert {span.context.trace_id for span in others} == {root.context.trace_id}


async def test_each_frame_is_a_trace_of_its_own(
    client: Client, spans: InMemorySpanExporter
) -> None:
    """Also when a client repeats an id."""
    for _ in range(2):
        await client.send(id="same", commands={})
        await client.expect("result")
    roots = await ended(spans, "gateway ListCommands", 2)
    assert len({span.context.trace_id for span in roots}) == 2


async def test_a_failed_call_marks_its_span(client: Client, spans: InMemorySpanExporter) -> None:
    """Without the error's text."""
    await client.message("down")
    await client.refused()
    (root,) = await ended(spans, "gateway SendMessage")
    assert (root.status.is_ok, root.status.description, root.events) == (False, None, ())
