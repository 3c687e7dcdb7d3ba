"""How production_memory is put together."""

from functools import partial

from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceStub
from kari.production_memory.v1.production_memory_pb2_grpc import (
    add_ProductionMemoryServiceServicer_to_server,
)
from servers.composition.serving import served
from servers.production_memory.approving import Approving
from servers.production_memory.backlog import Backlog
from servers.production_memory.beginning import Beginning
from servers.production_memory.buffering import Buffering
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.ending import Ending
from servers.production_memory.file_job import FileJob
from servers.production_memory.file_vectors import FileVectors
from servers.production_memory.files import Files
from servers.production_memory.importing import Importing
from servers.production_memory.jobs import Jobs
from servers.production_memory.leading import Leading
from servers.production_memory.quiet import Quiet
from servers.production_memory.reading import Reading
from servers.production_memory.recording import Recording
from servers.production_memory.reindexing import Reindexing
from servers.production_memory.servicer import ProductionMemory
from servers.production_memory.store import VectorStore
from servers.production_memory.store_milvus import open_vectors
from servers.production_memory.summaries import Summaries
from servers.production_memory.summary_claims import SummaryClaims
from servers.production_memory.vault.memory_jobs import LearnJob, MemoryJob, ProcedureJob
from servers.production_memory.vault.vault import vault_of
from servers.production_memory.vectorizing import Vectorizing
from servers.production_memory.working import Pace, Work, Worker
from servers.runtime.bootstrap import Hosted
from servers.runtime.resources import Resource
from servers.runtime.session_buffer import SessionBuffer
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    database, jobs, quiet = w.database("production_memory"), Jobs(), Quiet()
    vectors: Resource[VectorStore] = w.resources.add(
        "milvus", partial(open_vectors, w.settings), lambda store: store.ping(), required=False
    )
    models = w.stub("production_memory", "model_factory", ModelFactoryServiceStub)
    vault = vault_of(database, jobs, vectors, models, w.settings.memory_model, w.mesh_key)
    messages = Work(EmbedJob.parse, Vectorizing(database, models, vectors).do, "vectors")
    embeds = {EmbedJob.entrypoint: messages, MemoryJob.entrypoint: vault.vector_work}
    embedder = Worker("embed", database, jobs, embeds, quiet)
    # By itself: a model that takes its time keeps no vector waiting.
    learns = {
        LearnJob.entrypoint: vault.learn_work,
        ProcedureJob.entrypoint: vault.procedure_work,
    }
    learner = Worker("learn", database, jobs, learns, quiet, Pace(batch=4))
    # By itself as well: a large file keeps no message from being found.
    file_vectors = FileVectors(database, models, vectors)
    files = {FileJob.entrypoint: Work(FileJob.parse, file_vectors.do, "file_vectors")}
    filer = Worker("files", database, jobs, files, quiet, Pace(batch=4))
    buffering, backlog = Buffering(SessionBuffer(w.redis)), Backlog(database, jobs)
    return served(
        "production_memory",
        add_ProductionMemoryServiceServicer_to_server,
        ProductionMemory(
            Beginning(database, buffering, jobs, quiet, w.settings),
            Leading(database),
            Ending(database, buffering, jobs, quiet),
            Reading(database, buffering),
            Recording(database),
            Approving(database),
            Importing(database, jobs),
            Reindexing(database, jobs),
            backlog,
            models,
            vault,
            Summaries(database, jobs),
            SummaryClaims(database, quiet),
            Files(database, jobs, file_vectors),
        ),
        loops=(embedder.run, embedder.tidy, learner.run, filer.run, vault.aging.run, backlog.show),
    )
