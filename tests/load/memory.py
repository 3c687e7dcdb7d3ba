"""Search and context among many messages: how long a question takes, and a prompt."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np
from pydantic import SecretStr

from kari.chat_hub.v1.chat_hub_pb2 import SearchRequest
from kari.context_integrator.v1 import context_integrator_pb2
from kari.context_integrator.v1.context_integrator_pb2 import AssembleRequest
from kari.context_integrator.v1.context_integrator_pb2_grpc import ContextIntegratorServiceStub
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from kari.conversation_models.v1.model_pb2 import Tokenizer
from kari.conversation_models.v1.search_pb2 import SearchFilter
from servers.production_memory.store import Vector
from servers.production_memory.store_milvus import open_vectors
from servers.runtime.call import principal
from servers.runtime.channels import Channels
from servers.runtime.ids import new_id
from servers.runtime.keys import key_files, mesh_key
from servers.runtime.milvus import DIMENSIONS
from servers.runtime.settings import Settings
from tests.eval.filler import WORDS
from tests.eval.loading import Client, Loaded
from tests.load.figures import Figures
from tests.load.measured import spread
from tests.load.run import settled
from tests.load.system import Provider, kari_running
from tests.load.usage import Watched, spent
from tests.running import Kari

if TYPE_CHECKING:
    from kari.context_integrator.v1.context_integrator_pb2_grpc import (
        ContextIntegratorServiceAsyncStub,
    )

QUESTIONS = 200
WARM = 10
USUAL = "What was it that {subject} told about {number}?"
"""One of its words is in every sixth message, one in one or none."""
COMMON = "When was it that {subject} {verb} {object}, was it {number}?"
"""Half of all messages have one of its words."""
WRITTEN = 500
"""Vectors of one write."""
INDEXING_SECONDS = 600.0
"""Longest wait for the index."""
BUDGET_TOKENS = 4096

Say = Callable[[str], None]


async def memory(provider: Provider, messages: int, say: Say) -> Figures:
    """Questions and prompts among so many messages that have words; then with vectors too, right
    after these were written, while they are being indexed, and when that is done.

    Embedding so many texts would take half an hour: their vectors are random ones of length 1,
    written by production memory's own store. For an index this is harder than what texts give, for
    random vectors have no neighbourhoods; what is found is nothing to go by. No summaries are made
    of what was loaded: that work would be measured instead."""
    async with kari_running(provider) as kari, Client.of(kari) as client, contexts(kari) as context:
        say(f"  loading {messages:,} messages")
        filled = await client.fill(messages, say)
        await client.put_off_summaries()
        await client.drop_jobs()
        asked = Asked(client, context, filled, Watched(kari, {}))
        found: Figures = {"messages": messages}
        await settled(kari)
        say("  asking, with words alone")
        found["words"] = await asked.everything()
        say("  writing random vectors")
        began = time.perf_counter()
        await write_vectors(kari, filled, say)
        found["write_s"] = time.perf_counter() - began
        say("  asking, while they are being indexed")
        found["fresh"] = await asked.everything()
        found["indexed"] = await settled(kari, INDEXING_SECONDS)
        say("  asking")
        found["all"] = await asked.everything()
        return found


class Asked:
    """Questions of the user to whom all those messages belong, each asked once: nothing that was
    remembered helps."""

    def __init__(
        self,
        client: Client,
        context: "ContextIntegratorServiceAsyncStub",
        filled: Sequence[Loaded],
        watched: Watched,
    ) -> None:
        self._client = client
        self._watched = watched
        self._context = context
        self._filled = filled
        self._usual, self._common = questions(USUAL), questions(COMMON)

    async def everything(self) -> Figures:
        """Times of searches in all conversations, of searches in one, and of prompts; with the CPU
        that each takes, by part, which says more on a machine that is busy otherwise."""
        return {
            "search_ms": await self._times(self._search, self._usual),
            "search_common_ms": await self._times(self._search, self._common),
            "search_one_ms": await self._times(self._search_one, self._usual),
            "context_ms": await self._times(self._assemble, self._usual),
        }

    async def _times(
        self, ask: Callable[[str, Loaded], Awaitable[object]], asked: Iterator[str]
    ) -> Figures:
        times, before = list[float](), dict[str, float]()
        for number in range(WARM + QUESTIONS):
            if number == WARM:
                before = self._watched.cpu()
            began = time.perf_counter()
            await ask(next(asked), self._filled[number % len(self._filled)])
            times.append(time.perf_counter() - began)
        used = spent(before, self._watched.cpu())
        cpu = {part: seconds * 1000 / QUESTIONS for part, seconds in used.items()}
        return {**spread(times[WARM:]), "cpu": cpu}

    async def _search(self, question: str, _: Loaded) -> None:
        await self._client.hub.Search(SearchRequest(query=question))

    async def _search_one(self, question: str, loaded: Loaded) -> None:
        only = SearchFilter(conversation_id=loaded.id)
        await self._client.hub.Search(SearchRequest(query=question, filter=only))

    async def _assemble(self, question: str, loaded: Loaded) -> None:
        current = Message(
            id=new_id("msg"),
            conversation_id=loaded.id,
            role=MessageRole.MESSAGE_ROLE_USER,
            content=question,
            sequence=len(loaded.turn_of) + 1,
        )
        await self._context.Assemble(
            AssembleRequest(
                conversation=Conversation(id=loaded.id),
                current_message=current,
                budget_tokens=BUDGET_TOKENS,
                tokenizer=Tokenizer.TOKENIZER_CL100K,
            )
        )


def questions(pattern: str) -> Iterator[str]:
    """Questions after a pattern, no two alike."""
    chance = np.random.default_rng(1)
    for number in count(1):
        words = {name: chance.choice(choices) for name, choices in WORDS.items()}
        yield pattern.format(number=number, **words)


@asynccontextmanager
async def contexts(kari: Kari) -> AsyncIterator["ContextIntegratorServiceAsyncStub"]:
    """The context integrator, as the orchestrator calls it."""
    key = mesh_key(key_files(Settings(data=kari.data)).mesh)
    peers = frozenset({"context_integrator"})
    channels = Channels("chat_orchestrator", peers, kari.address, key)
    service = context_integrator_pb2.DESCRIPTOR.services_by_name["ContextIntegratorService"]
    try:
        yield ContextIntegratorServiceStub(channels.to("context_integrator", service))
    finally:
        await channels.close()


async def write_vectors(kari: Kari, filled: Sequence[Loaded], say: Say) -> None:
    """A random vector for each of these messages."""
    given = kari.server_settings()
    settings = Settings(
        milvus_url=SecretStr(given["KARI_MILVUS_URL"]),
        milvus_token=SecretStr(given["KARI_MILVUS_TOKEN"]),
    )
    async with open_vectors(settings) as store:
        vectors, written = _vectors(filled, principal().tenant_id), 0
        while some := list(islice(vectors, WRITTEN)):
            await store.write(some)
            written += len(some)
            if written % (WRITTEN * 40) == 0:
                say(f"  {written:,} vectors")


def _vectors(filled: Sequence[Loaded], tenant_id: str) -> Iterator[Vector]:
    chance = np.random.default_rng(0)
    for loaded in filled:
        for message_id, turn in zip(loaded.turn_of, loaded.conversation.turns, strict=True):
            values = chance.normal(size=DIMENSIONS)
            yield Vector(
                message_id=message_id,
                tenant_id=tenant_id,
                conversation_id=loaded.id,
                role="user",
                created_at_ms=int(turn.at.timestamp() * 1000),
                values=(values / np.linalg.norm(values)).tolist(),
            )
