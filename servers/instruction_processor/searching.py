"""`/search`: what conversation search finds, in Markdown."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kari.conversation_manager.v1.conversation_manager_pb2 import GetConversationRequest
from kari.conversation_models.v1.search_pb2 import SearchFilter
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest, SearchResponse
from servers.instruction_processor import search_replies
from servers.instruction_processor.steps import Step

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )
    from kari.conversation_search.v1.conversation_search_pb2_grpc import (
        ConversationSearchServiceAsyncStub,
    )

SHOWN = 8


class Searching:
    """Asks conversation search, and conversation manager what conversations are called."""

    def __init__(
        self,
        search: "ConversationSearchServiceAsyncStub",
        conversations: "ConversationManagerServiceAsyncStub",
    ) -> None:
        self._search = search
        self._conversations = conversations

    async def found(self, conversation_id: str, step: Step) -> str:
        """The best messages, in all of the caller's conversations or in this one."""
        given = step.instruction.parameters
        only = conversation_id if "where" in given else ""
        response = await self._search.Search(
            SearchRequest(
                query=given["words"], filter=SearchFilter(conversation_id=only), page_size=SHOWN
            )
        )
        return search_replies.found(response, await self._titles(response, conversation_id))

    async def _titles(self, response: SearchResponse, this: str) -> Mapping[str, str]:
        """Titles of the other conversations in which something was found, by id."""
        ids = {result.conversation_id for result in response.results}
        ids |= {found.summary.conversation_id for found in response.summaries}
        others = sorted(ids - {this})
        return dict(zip(others, await asyncio.gather(*map(self._title, others)), strict=True))

    async def _title(self, conversation_id: str) -> str:
        request = GetConversationRequest(conversation_id=conversation_id)
        return (await self._conversations.GetConversation(request)).conversation.title
