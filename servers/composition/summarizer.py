"""How summarizer is put together."""

from functools import partial

from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceStub
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from kari.summarizer.v1.summarizer_pb2_grpc import add_SummarizerServiceServicer_to_server
from servers.composition.serving import served
from servers.runtime.bootstrap import Hosted
from servers.summarizer.due import Due
from servers.summarizer.servicer import Summarizer
from servers.summarizer.summarizing import Summarizing
from servers.summarizer.writing import Writing
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    stub, settings = partial(w.stub, "summarizer"), w.settings
    models = stub("model_factory", ModelFactoryServiceStub)
    writing = Writing(models, settings.summary_model) if settings.summary_model else None
    summarizing = Summarizing(models, writing)
    stored = stub("production_memory", ProductionMemoryServiceStub)
    return served(
        "summarizer",
        add_SummarizerServiceServicer_to_server,
        Summarizer(summarizing),
        loops=(Due(stored, summarizing, settings, w.mesh_key).run,),
    )
