"""The tool `memory.search`: what is remembered of the user, and known for everybody of the
tenant. What was said in conversations is `conversation.search`'s."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kari.conversation_models.v1.context_pb2 import MemoryItem, MemorySource
from kari.conversation_models.v1.memory_pb2 import MemoryKind
from kari.memory_processor.v1.memory_processor_pb2 import RetrieveRequest
from servers.runtime.ids import new_id
from servers.runtime.names import short
from servers.tool_integration.tool import Invocation, Json, Offer, Tool

if TYPE_CHECKING:
    from kari.memory_processor.v1.memory_processor_pb2_grpc import MemoryProcessorServiceAsyncStub

SCOPES = {
    MemorySource.MEMORY_SOURCE_VAULT: "user",
    MemorySource.MEMORY_SOURCE_DOMAIN: "everybody",
}
TEXT = {"type": "string"}

TOOL = Tool(
    id="memory.search",
    name="Search memories",
    description=(
        "Searches what is remembered about the user beyond this conversation (facts, preferences, "
        "procedures that worked) and what everybody of the organisation is to know. Use it when an "
        "answer depends on the user's circumstances or on how things are done here."
    ),
    parameters={
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1000,
                "description": "What is to be known, as words or a question.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": 20,
                "description": "Most memories. Default: 8.",
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    result={
        "type": "object",
        "properties": {
            "memories": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "text": TEXT,
                        "kind": TEXT,
                        "of": {"enum": list(SCOPES.values())},
                        "relevance": {"type": "number"},
                        "memory_id": TEXT,
                    },
                    "required": ["text", "kind", "of", "relevance", "memory_id"],
                    "additionalProperties": False,
                },
            },
            "missing": {
                "type": "string",
                "description": "What could not be looked through; there may be more.",
            },
        },
        "required": ["memories"],
        "additionalProperties": False,
    },
    timeout=5.0,
)


class MemorySearch:
    """Asks the memory processor, in the user's name."""

    def __init__(self, memories: "MemoryProcessorServiceAsyncStub") -> None:
        self._memories = memories

    async def __call__(self, arguments: Mapping[str, Json], invocation: Invocation) -> Json:
        """The memories that fit best, the best first."""
        limit = arguments.get("limit", 8)
        request = RetrieveRequest(
            # These sources are the user's, whichever conversation it is.
            conversation_id=invocation.conversation_id or new_id("conv"),
            limit=limit,
            query=arguments["query"],
            sources=list(SCOPES),
        )
        found = await self._memories.Retrieve(request)
        best = sorted(found.items, key=lambda item: -item.score)[:limit]
        said: dict[str, Json] = {"memories": [_memory(item) for item in best]}
        if found.degradations:
            said["missing"] = "Some memories cannot be looked through now."
        return said

    def offer(self) -> Offer:
        """As a tool."""
        return Offer(TOOL, self)


def _memory(item: MemoryItem) -> Json:
    return {
        "text": item.memory.content or item.content,
        "kind": short(MemoryKind, item.memory.kind),
        "of": SCOPES.get(item.source, "user"),
        "relevance": round(item.score, 4),
        "memory_id": item.memory.id,
    }
