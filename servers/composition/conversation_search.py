"""How conversation_search is put together."""

from functools import partial

from kari.conversation_search.v1.conversation_search_pb2_grpc import (
    add_ConversationSearchServiceServicer_to_server,
)
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.composition.serving import served
from servers.conversation_search.file_reading import FileReading
from servers.conversation_search.meaning import Meaning
from servers.conversation_search.piece_searching import PieceSearching
from servers.conversation_search.searching import Searching
from servers.conversation_search.servicer import ConversationSearch
from servers.conversation_search.store import NearestVectors
from servers.conversation_search.store_milvus import open_nearest
from servers.conversation_search.store_pieces import PieceWords
from servers.conversation_search.store_postgres import PLANNED_EACH_TIME, Words
from servers.runtime.bootstrap import Hosted
from servers.runtime.resources import Resource
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    vectors: Resource[NearestVectors] = w.resources.add(
        "milvus.conversation_search",
        partial(open_nearest, w.settings),
        lambda store: store.ping(),
        required=False,
    )
    stored = w.stub("conversation_search", "production_memory", ProductionMemoryServiceStub)
    database = w.database("conversation_search", options=PLANNED_EACH_TIME)
    words, pieces = Words(database), PieceWords(database)
    searching = Searching(words, PieceSearching(words, pieces), Meaning(vectors, stored))
    return served(
        "conversation_search",
        add_ConversationSearchServiceServicer_to_server,
        ConversationSearch(searching, FileReading(pieces)),
    )
