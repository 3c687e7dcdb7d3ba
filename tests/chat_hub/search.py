"""A conversation search that answers by script, over a real socket."""

from functools import partial

from kari.conversation_search.v1 import conversation_search_pb2_grpc
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest, SearchResponse
from servers.runtime.bootstrap import Hosted
from servers.runtime.errors import KariError
from servers.runtime.grpc_types import Context
from servers.wiring import contract_of


class ScriptedSearch(conversation_search_pb2_grpc.ConversationSearchServiceServicer):
    """Gives `response`, or raises `failure`; remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[SearchRequest] = []
        self.response = SearchResponse()
        self.failure: KariError | None = None

    async def Search(self, request: SearchRequest, context: Context) -> SearchResponse:  # noqa: N802  # the contract's name
        self.requests.append(request)
        if self.failure is not None:
            raise self.failure
        return self.response

    def hosted(self) -> Hosted:
        """The servicer, ready to be served."""
        register = conversation_search_pb2_grpc.add_ConversationSearchServiceServicer_to_server
        name = "conversation_search"
        return Hosted(name, contract_of(name), partial(register, self))
