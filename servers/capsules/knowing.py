"""What a run may read: memory, past messages, the conversation, and how its answers came about."""

from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    GetTurnManifestRequest,
    ListMessagesRequest,
)
from kari.conversation_models.v1.context_pb2 import (
    ContextManifest,
    ContextSource,
    ContextVerdict,
    MemoryItem,
    MemorySource,
)
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from kari.conversation_models.v1.search_pb2 import SearchResult
from kari.conversation_models.v1.turn_pb2 import Turn
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest
from kari.memory_processor.v1.memory_processor_pb2 import RetrieveRequest
from servers.capsules.failing import as_skill_errors
from servers.capsules.peers import Peers
from servers.capsules.run import Run
from servers.capsules.skill import SkillError
from servers.runtime.names import short

LONGEST_QUERY = 2000
MOST_MESSAGES = 500
MOST_FOUND = 50
PAGE = 200
BY_MEANING = (
    MemorySource.MEMORY_SOURCE_LONG_TERM,
    MemorySource.MEMORY_SOURCE_VAULT,
    MemorySource.MEMORY_SOURCE_DOMAIN,
)

Found = dict[str, Any]


class Knowing:
    """Reads for one run, in its user's name."""

    def __init__(self, peers: Peers, run: Run) -> None:
        self._peers = peers
        self._run = run

    async def recall(self, query: str, limit: int) -> list[Found]:
        """What is remembered and fits, the best first."""
        if not self._run.conversation_id or not query.strip():
            return []
        last = await self.history(1)
        request = RetrieveRequest(
            conversation_id=self._run.conversation_id,
            through_sequence=last[0]["sequence"] if last else 0,
            limit=_within(limit, MOST_FOUND),
            query=_text(query),
            sources=BY_MEANING,
        )
        with as_skill_errors():
            response = await self._peers.memory.Retrieve(request)
        if response.degradations or any(source.skipped for source in response.sources):
            self._run.notes.warn("a part of the memory did not answer; what it has is missing")
        items = sorted(response.items, key=lambda item: -item.score)
        return [_item(item) for item in items[: _within(limit, MOST_FOUND)]]

    async def search(self, query: str, limit: int) -> list[Found]:
        """Messages that fit, the best first."""
        request = SearchRequest(query=_text(query), page_size=_within(limit, MOST_FOUND))
        with as_skill_errors():
            response = await self._peers.search.Search(request)
        if response.degradations:
            self._run.notes.warn("the search was done without meaning, by words alone")
        return [_result(result) for result in response.results]

    async def history(self, limit: int) -> list[Found]:
        """The last messages, the oldest first."""
        if not self._run.conversation_id:
            return []
        found, token, most = list[Message](), "", _within(limit, MOST_MESSAGES)
        while len(found) < most:
            request = ListMessagesRequest(
                conversation_id=self._run.conversation_id,
                page_size=min(most - len(found), PAGE),
                page_token=token,
            )
            with as_skill_errors():
                page = await self._peers.conversations.ListMessages(request)
            found += page.messages
            if not (token := page.next_page_token):
                break
        return [_message(message) for message in reversed(found)]

    async def manifest(self, turn_id: str) -> Found:
        """How the prompt of a turn of the conversation came about."""
        request = GetTurnManifestRequest(turn_id=turn_id)
        with as_skill_errors():
            response = await self._peers.conversations.GetTurnManifest(request)
        if response.turn.conversation_id != self._run.conversation_id:
            raise SkillError("REASON_TURN_NOT_FOUND", "there is no such turn in the conversation")
        if not response.HasField("manifest"):
            return {}
        return _manifest(response.manifest) | {"degradations": _missing(response.turn)}


def _within(limit: int, most: int) -> int:
    return max(1, min(limit, most))


def _text(query: str) -> str:
    return query.replace("\0", " ")[:LONGEST_QUERY]


def _when(timestamp: Timestamp) -> str:
    """RFC 3339; empty if it is not known."""
    return timestamp.ToJsonString() if timestamp.seconds else ""


def _message(message: Message) -> Found:
    return {
        "id": message.id,
        "role": short(MessageRole, message.role),
        "content": message.content,
        "timestamp": _when(message.timestamp),
        "turn_id": message.turn_id,
        "sequence": message.sequence,
        "author": message.author,
        "partial": message.partial,
        "tools_called": [use.tool_id for use in message.tools_called],
    }


def _result(result: SearchResult) -> Found:
    return {
        "id": result.message_id,
        "conversation_id": result.conversation_id,
        "role": short(MessageRole, result.role),
        "author": result.author,
        "content": result.content,
        "score": result.score,
        "similarity": result.similarity,
        "timestamp": _when(result.timestamp),
    }


def _item(item: MemoryItem) -> Found:
    message, memory, summary = item.message, item.memory, item.summary
    return {
        "id": message.id or memory.id or summary.id,
        "source": short(MemorySource, item.source),
        "content": item.content or message.content or memory.content or summary.summary,
        "score": item.score,
        "similarity": item.similarity,
        "timestamp": _when(item.timestamp),
        "conversation_id": message.conversation_id
        or memory.conversation_id
        or summary.conversation_id,
        "role": short(MessageRole, message.role) if message.id else "",
    }


def _missing(turn: Turn) -> list[Found]:
    return [
        {"feature": short(Feature, each.feature), "cause": each.cause} for each in turn.degradations
    ]


def _manifest(manifest: ContextManifest) -> Found:
    found: Found = MessageToDict(
        manifest, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for told, candidate in zip(found["candidates"], manifest.candidates, strict=True):
        told["source"] = short(ContextSource, candidate.source)
        told["verdict"] = short(ContextVerdict, candidate.verdict)
    return found
