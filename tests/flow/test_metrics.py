"""What a turn leaves in the metrics, in both placements."""

import secrets

from kari.chat_hub.v1.chat_hub_pb2 import SearchRequest
from kari.edge.v1.frames_pb2 import ClientFrame
from tests.flow.conftest import OBEDIENT, Mesh
from tests.flow.files import Drawer, settled
from tests.socket_client import opened

COUNTED = [
    "kari_chat_requests_total",
    "kari_chat_errors_total",
    "kari_chat_tokens_streamed_total",
    "kari_chat_memory_writes_total",
    "kari_chat_context_tokens_total",
    "kari_chat_connections_total",
    "kari_chat_messages_forwarded_total",
    "kari_chat_routing_decisions_total",
    "kari_chat_context_items_total",
    "kari_chat_memory_retrieval_total",
    "kari_chat_orchestration_total",
    "kari_chat_model_selections_total",
    "kari_chat_conversation_updates_total",
    "kari_chat_tool_calls_total",
    "kari_chat_tool_errors_total",
    "kari_chat_summaries_generated_total",
    "kari_chat_searches_total",
    "capsule_executions_total",
    "neurovault_retrieval_total",
    "neurovault_storage_total",
]
TIMED = [
    "kari_chat_latency_seconds",
    "kari_chat_request_latency_seconds",
    "kari_chat_memory_retrieval_latency_seconds",
    "kari_chat_memory_write_latency_seconds",
    "kari_chat_orchestration_latency_seconds",
    "kari_chat_stream_latency_seconds",
    "kari_chat_tool_latency_seconds",
    "kari_chat_search_latency_seconds",
    "capsule_execution_seconds",
    "neurovault_retrieval_latency_seconds",
]
"""Names of the flow contract: all of them."""
CALLS = """!calculator {"expression": "6*7"}
!capsule.semantic_retriever {"query": "hello"}
!no.such.tool {}
"""
TEXT = b"A text that is long enough to be summarized. " * 8


async def test_whatever_is_done_is_counted_and_timed(mesh: Mesh) -> None:
    """Under every name of the flow contract, by the process that did it."""
    token = await mesh.token()
    async with opened(mesh.kari, token) as client:
        file = await Drawer(mesh.kari, token).upload("long.txt", TEXT)
        ack, _ = await client.turn("hello")
        await client.turn("and again", ack.conversation_id)
        await client.command("/set mode analysis", ack.conversation_id)
        fact = f"/remember My ferry is called {secrets.token_hex(6)}"
        await client.command(fact, ack.conversation_id)
        await client.turn(CALLS, ack.conversation_id, model=OBEDIENT)
        await client.ask(search=SearchRequest(query="hello"))
        await settled(client, file)
        await client.send(ClientFrame())
        assert (await client.next()).HasField("error")
        found = await mesh.metrics()
    names = ["kari_chat_active_sessions", *COUNTED, *(f"{name}_count" for name in TIMED)]
    assert [name for name in names if not found[name]] == []
