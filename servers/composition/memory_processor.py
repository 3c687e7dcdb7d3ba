"""How memory_processor is put together."""

from functools import partial

from kari.memory_processor.v1.memory_processor_pb2_grpc import (
    add_MemoryProcessorServiceServicer_to_server,
)
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.composition.serving import served
from servers.memory_processor.long_term import LongTerm
from servers.memory_processor.retrieval import Retrieval
from servers.memory_processor.servicer import MemoryProcessor
from servers.memory_processor.short_term import ShortTerm
from servers.memory_processor.store import NearestVectors
from servers.memory_processor.store_milvus import open_nearest
from servers.memory_processor.vault import vaults
from servers.runtime.bootstrap import Hosted
from servers.runtime.resources import Resource
from servers.runtime.session_buffer import SessionBuffer
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    vectors: Resource[NearestVectors] = w.resources.add(
        "milvus.memory_processor",
        partial(open_nearest, w.settings),
        lambda store: store.ping(),
        required=False,
    )
    stored = w.stub("memory_processor", "production_memory", ProductionMemoryServiceStub)
    return served(
        "memory_processor",
        add_MemoryProcessorServiceServicer_to_server,
        MemoryProcessor(
            Retrieval(
                (
                    ShortTerm(SessionBuffer(w.redis), stored),
                    LongTerm(vectors, stored),
                    *vaults(stored),
                )
            )
        ),
    )
