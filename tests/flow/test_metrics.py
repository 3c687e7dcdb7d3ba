"""What a turn leaves in the metrics, in both placements."""

from kari.edge.v1.frames_pb2 import ClientFrame
from tests.flow.conftest import Mesh
from tests.socket_client import opened

COUNTED = [
    "requests_total",
    "errors_total",
    "tokens_streamed_total",
    "memory_writes_total",
    "context_tokens_total",
    "connections_total",
    "messages_forwarded_total",
    "routing_decisions_total",
    "context_items_total",
    "memory_retrieval_total",
    "orchestration_total",
    "model_selections_total",
    "conversation_updates_total",
]
TIMED = [
    "latency_seconds",
    "request_latency_seconds",
    "memory_retrieval_latency_seconds",
    "memory_write_latency_seconds",
    "orchestration_latency_seconds",
    "stream_latency_seconds",
]
"""Names of the flow contract, but for those of tools, summaries and searches."""


async def test_a_turn_and_a_command_are_counted_and_timed(mesh: Mesh) -> None:
    """Under every name of the flow contract, by the process that did it."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, _ = await client.turn("hello")
        await client.turn("and again", ack.conversation_id)
        await client.command("/set mode analysis", ack.conversation_id)
        await client.send(ClientFrame())
        assert (await client.next()).HasField("error")
        found = await mesh.metrics()
    names = ["active_sessions", *COUNTED, *(f"{name}_count" for name in TIMED)]
    assert [name for name in names if not found[f"kari_chat_{name}"]] == []
