"""`/search`: what conversation search finds, in Markdown."""

from typing import TYPE_CHECKING

from kari.conversation_models.v1.search_pb2 import SearchFilter
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest
from servers.instruction_processor import search_replies
from servers.instruction_processor.steps import Step

if TYPE_CHECKING:
    from kari.conversation_search.v1.conversation_search_pb2_grpc import (
        ConversationSearchServiceAsyncStub,
    )

SHOWN = 8


class Searching:
    """Asks conversation search."""

    def __init__(self, search: "ConversationSearchServiceAsyncStub") -> None:
        self._search = search

    async def found(self, conversation_id: str, step: Step) -> str:
        """The best messages, in all of the caller's conversations or in this one."""
        given = step.instruction.parameters
        only = conversation_id if "where" in given else ""
        response = await self._search.Search(
            SearchRequest(
                query=given["words"], filter=SearchFilter(conversation_id=only), page_size=SHOWN
            )
        )
        return search_replies.found(response, conversation_id)
