"""What a turn leaves in the metrics, in both placements."""

import secrets

from kari.chat_hub.v1.chat_hub_pb2 import SearchRequest
from kari.edge.v1.frames_pb2 import ClientFrame
from kari.summarizer.v1.summarizer_pb2 import Passage, SummarizeRequest
from kari.summarizer.v1.summarizer_pb2_grpc import SummarizerServiceStub
from servers.runtime.call import Call, acting
from servers.runtime.channels import Channels
from servers.runtime.ids import new_correlation_id, new_id
from servers.runtime.keys import mesh_key
from servers.runtime.mesh_key import OPERATOR
from servers.wiring import contract_of
from tests.flow.conftest import OBEDIENT, Mesh
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


async def summarize(mesh: Mesh) -> None:
    """Has a text summarized, as the server that looks at files does."""
    key = mesh_key(mesh.keys().mesh)
    user, tenant = new_id("user"), new_id("tenant")
    who = key.delegate(
        "hook_enabled_file", user_id=user, tenant_id=tenant, roles=frozenset({"chat.user"})
    )
    channels = Channels(OPERATOR, frozenset({"summarizer"}), mesh.kari.address, key)
    stub = SummarizerServiceStub(channels.to("summarizer", contract_of("summarizer")))
    passages = [Passage(text="The ferry is late. It is called Aurora.")]
    with acting(Call(new_correlation_id(), principal=who)):
        await stub.Summarize(SummarizeRequest(passages=passages))
    await channels.close()


async def test_whatever_is_done_is_counted_and_timed(mesh: Mesh) -> None:
    """Under every name of the flow contract, by the process that did it."""
    token = await mesh.token()
    async with opened(mesh.kari, token) as client:
        ack, _ = await client.turn("hello")
        await client.turn("and again", ack.conversation_id)
        await client.command("/set mode analysis", ack.conversation_id)
        fact = f"/remember My ferry is called {secrets.token_hex(6)}"
        await client.command(fact, ack.conversation_id)
        await client.turn(CALLS, ack.conversation_id, model=OBEDIENT)
        await client.ask(search=SearchRequest(query="hello"))
        await summarize(mesh)
        await client.send(ClientFrame())
        assert (await client.next()).HasField("error")
        found = await mesh.metrics()
    names = ["kari_chat_active_sessions", *COUNTED, *(f"{name}_count" for name in TIMED)]
    assert [name for name in names if not found[name]] == []
