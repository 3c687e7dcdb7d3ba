"""How stream_processor is put together."""

from kari.stream_processor.v1.stream_processor_pb2_grpc import (
    add_StreamProcessorServiceServicer_to_server,
)
from servers.composition.serving import served
from servers.runtime.bootstrap import Hosted
from servers.stream_processor.guarded import GuardedJournal
from servers.stream_processor.journal_memory import MemoryJournal
from servers.stream_processor.journal_redis import RedisJournal
from servers.stream_processor.readers import Readers
from servers.stream_processor.servicer import StreamProcessor
from servers.stream_processor.streams import Streams
from servers.stream_processor.upkeep import Upkeep
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    ttl = w.settings.stream_ttl_seconds
    memory, durable = MemoryJournal(), GuardedJournal(RedisJournal(w.redis, ttl))
    streams = Streams(memory, durable, expose_reasoning=w.settings.expose_reasoning)
    readers = Readers(streams, memory)
    upkeep = Upkeep(streams, readers, memory, durable, ttl=ttl)
    return served(
        "stream_processor",
        add_StreamProcessorServiceServicer_to_server,
        StreamProcessor(streams, readers),
        loops=(upkeep.read_others, upkeep.settle, upkeep.sweep),
    )
