"""Learning from completed turns: facts of the user's message, by rules and, where one is
configured, by a model; stored through the write gate, each message once."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc
import structlog
from asyncpg import Record

from kari.model_factory.v1.model_factory_pb2 import GenerateRequest
from servers.production_memory.vault.facts import Fact, facts_of
from servers.production_memory.vault.gate import Claim, Refusal
from servers.production_memory.vault.memory_jobs import LearnJob
from servers.production_memory.vault.metrics import MODEL_ANSWERS, REFUSALS
from servers.production_memory.vault.model_facts import is_grounded, prompt, read
from servers.production_memory.vault.requests import Source
from servers.production_memory.vault.tables import QUERIES
from servers.production_memory.vault.writing import Detail, Writing
from servers.runtime.call import Call, acting
from servers.runtime.errors import KariError, from_rpc
from servers.runtime.labelled import labelled
from servers.runtime.mesh_key import MeshKey
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub

NAME = "production_memory"
MODEL_SECONDS = 15.0
"""A batch of four turns stays under the time after which a worker counts as dead."""
MODEL_TOKENS = 800

log = structlog.get_logger("kari.production_memory")


class Learning:
    """Does learn jobs. Doing one again stores nothing more."""

    def __init__(
        self,
        database: Resource[Database],
        writing: Writing,
        models: "ModelFactoryServiceAsyncStub",
        model: str,
        mesh_key: MeshKey,
    ) -> None:
        """`model` is the one that finds facts, `provider/model`; empty for the rules alone."""
        self._database = database
        self._writing = writing
        self._models = models
        self._model = model
        self._mesh_key = mesh_key

    async def do(self, jobs: Sequence[LearnJob]) -> None:
        """Does all jobs, each for the user whose turn it was; KariError if something is away."""
        database = await self._database.get()
        for job in jobs:
            row = await database.row(job.tenant_id, QUERIES.taught_turn, job.turn_id)
            if row is not None:
                with acting(acting_for(self._mesh_key, row)):
                    await self._learn(row)

    async def _learn(self, row: Record) -> None:
        found = [(fact, "rules") for fact in facts_of(row["content"])]
        found += [(fact, "model") for fact in await self._by_model(row["content"])]
        statements = [(_claim(fact, row), _detail(fact, origin, row)) for fact, origin in found]
        source = Source(row["user_id"], "learn", row["message_id"])
        stored = await self._writing.write_all(row["tenant_id"], row["user_id"], statements, source)
        log.info("turn learned from", turn=row["id"], found=len(found), stored=stored)

    async def _by_model(self, content: str) -> list[Fact]:
        """What the model finds; nothing if it fails or answers in another form. The rules have
        spoken by then, and a job is not held up by a provider."""
        if not self._model:
            return []
        try:
            async with asyncio.timeout(MODEL_SECONDS):
                facts = read(await self._answer(content))
        except ValueError:
            labelled(MODEL_ANSWERS, "unreadable").inc()
            return []
        except (KariError, TimeoutError) as error:
            labelled(MODEL_ANSWERS, "failed").inc()
            log.warning("rules alone find facts", error=type(error).__name__, model=self._model)
            return []
        labelled(MODEL_ANSWERS, "read").inc()
        grounded = [fact for fact in facts if is_grounded(fact, content)]
        labelled(REFUSALS, Refusal.UNGROUNDED.value).inc(len(facts) - len(grounded))
        return grounded

    async def _answer(self, content: str) -> str:
        request = GenerateRequest(
            model=self._model,
            messages=prompt(content),
            max_tokens=MODEL_TOKENS,
            temperature=0.0,
        )
        call = self._models.Generate(request, timeout=MODEL_SECONDS)
        try:
            return "".join([step.delta async for step in call])
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()


def acting_for(mesh_key: MeshKey, row: Record) -> Call:
    """A call for the user of a turn, with the roles of when it was accepted."""
    return Call(
        row["correlation_id"],
        principal=mesh_key.delegate(
            NAME,
            user_id=row["user_id"],
            tenant_id=row["tenant_id"],
            roles=frozenset(row["roles"]),
        ),
        turn_id=row["id"],
    )


def _claim(fact: Fact, row: Record) -> Claim:
    return Claim(
        fact.content,
        row["created_at"],
        kind=fact.kind,
        slot=fact.slot,
        value=fact.value,
        negated=fact.negated,
        recognized=True,
    )


def _detail(fact: Fact, origin: str, row: Record) -> Detail:
    return Detail(
        fact.importance,
        "asked" if fact.asked else origin,
        row["conversation_id"],
        [row["message_id"]],
    )
