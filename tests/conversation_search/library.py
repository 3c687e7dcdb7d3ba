"""Conversation search as the hub uses it, over messages that production memory has taken in."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kari.conversation_manager.v1.conversation_manager_pb2 import CreateConversationRequest
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import SearchFilter, SearchResult
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest, SearchResponse
from kari.conversation_search.v1.conversation_search_pb2_grpc import ConversationSearchServiceStub
from kari.production_memory.v1.production_memory_pb2 import (
    ImportedMessage,
    ImportMessagesRequest,
    ImportMessagesResponse,
)
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.runtime.ids import new_id
from servers.wiring import Wiring
from tests.hosting import Somebody, until
from tests.production_memory.vectors import vectors_of

FIRST = datetime(2023, 5, 8, 14, tzinfo=UTC)
USER, ASSISTANT = MessageRole.MESSAGE_ROLE_USER, MessageRole.MESSAGE_ROLE_ASSISTANT


def moment(when: datetime) -> Timestamp:
    """A time as the contract has it."""
    result = Timestamp()
    result.FromDatetime(when)
    return result


@dataclass(frozen=True)
class Library:
    """The servers, and somebody with a conversation of their own."""

    wiring: Wiring
    somebody: Somebody = field(default_factory=Somebody)

    def as_somebody(self, **changes: Any) -> "Library":
        """The same servers in the hands of somebody else."""
        return replace(self, somebody=Somebody(**changes))

    async def conversation(self) -> str:
        """A new conversation of the caller's."""
        stub = self.wiring.stub("chat_hub", "conversation_manager", ConversationManagerServiceStub)
        request = CreateConversationRequest(request_id=new_id("req"))
        return (await stub.CreateConversation(request)).conversation.id

    async def said(
        self,
        conversation_id: str,
        *lines: str,
        first: datetime = FIRST,
        request_id: str = "",
    ) -> list[str]:
        """Takes lines such as `Ada: hello` in, a minute apart; those of `Kari` are the
        assistant's. Gives their ids."""
        response = await self.imported(conversation_id, lines, first, request_id or new_id("req"))
        return list(response.message_ids)

    async def imported(
        self, conversation_id: str, lines: Sequence[str], first: datetime, request_id: str
    ) -> ImportMessagesResponse:
        """The same, whole."""
        stub = self.wiring.stub(
            "chat_orchestrator", "production_memory", ProductionMemoryServiceStub
        )
        messages = [
            ImportedMessage(
                role=ASSISTANT if author == "Kari" else USER,
                content=content,
                timestamp=moment(first + timedelta(minutes=place)),
                author=author,
            )
            for place, line in enumerate(lines)
            for author, _, content in [line.partition(": ")]
        ]
        return await stub.ImportMessages(
            ImportMessagesRequest(
                conversation_id=conversation_id, request_id=request_id, messages=messages
            )
        )

    async def indexed(self, count: int) -> None:
        """Returns when the tenant has so many vectors."""

        async def enough() -> bool:
            settings, tenant_id = self.wiring.settings, self.somebody.tenant_id
            return len(await vectors_of(settings, tenant_id)) >= count

        await until(enough)

    async def search(
        self, query: str, seconds: float | None = None, **fields: Any
    ) -> SearchResponse:
        """What is found, in time; fields of the filter are given beside those of the request."""
        names = SearchFilter.DESCRIPTOR.fields_by_name
        filter_ = {name: fields.pop(name) for name in list(fields) if name in names}
        stub = self.wiring.stub("chat_hub", "conversation_search", ConversationSearchServiceStub)
        return await stub.Search(
            SearchRequest(query=query, filter=SearchFilter(**filter_), **fields), timeout=seconds
        )

    async def texts(self, query: str, **fields: Any) -> list[str]:
        """The texts of what is found, in order."""
        return [result.content for result in (await self.search(query, **fields)).results]


def marked(result: SearchResult) -> list[str]:
    """The highlighted stretches of a result."""
    return [result.content[h.start : h.end] for h in result.highlights]
