"""NeuroVault put together: what its rpcs, jobs and loops need."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from servers.production_memory.jobs import Jobs
from servers.production_memory.store import VectorStore
from servers.production_memory.vault.aging import Aging
from servers.production_memory.vault.forgetting import Forgetting
from servers.production_memory.vault.learning import Learning
from servers.production_memory.vault.listing import Listing
from servers.production_memory.vault.memory_jobs import LearnJob, MemoryJob, ProcedureJob
from servers.production_memory.vault.nearness import Nearness
from servers.production_memory.vault.procedures import Procedures
from servers.production_memory.vault.recalling import Recalling
from servers.production_memory.vault.remembering import Remembering
from servers.production_memory.vault.vectors import MemoryVectors
from servers.production_memory.vault.writing import Writing
from servers.production_memory.working import Work
from servers.runtime.mesh_key import MeshKey
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub


@dataclass(frozen=True)
class Vault:
    """The parts of NeuroVault."""

    remembering: Remembering
    forgetting: Forgetting
    listing: Listing
    recalling: Recalling
    aging: Aging
    vector_work: Work
    learn_work: Work
    procedure_work: Work


def vault_of(
    database: Resource[Database],
    jobs: Jobs,
    vectors: Resource[VectorStore],
    models: "ModelFactoryServiceAsyncStub",
    model: str,
    mesh_key: MeshKey,
) -> Vault:
    """NeuroVault on these stores; `model` finds facts, empty for the rules alone."""
    nearness = Nearness(database, models, vectors)
    writing = Writing(database, jobs, nearness)
    memory_vectors = MemoryVectors(database, nearness, vectors)
    learning = Learning(database, writing, models, model, mesh_key)
    return Vault(
        Remembering(database, writing),
        Forgetting(database, jobs, memory_vectors),
        Listing(database),
        Recalling(database, nearness),
        Aging(database, jobs),
        Work(MemoryJob.parse, memory_vectors.do, "memory_vectors"),
        Work(LearnJob.parse, learning.do, "memories"),
        Work(ProcedureJob.parse, Procedures(database, writing, mesh_key).do, "memories"),
    )
