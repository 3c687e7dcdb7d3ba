"""Killed again and again while it writes: nothing that was acknowledged is lost or doubled, and
nothing is left without a vector."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

import asyncpg
import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import SecretStr

from cli.programs import mesh_waves
from embedded.program import Program
from embedded.supervisor import Backoff, Supervisor
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.production_memory.v1.jobs_pb2 import CountJobsRequest, JobCount
from kari.production_memory.v1.production_memory_pb2 import ImportedMessage, ImportMessagesRequest
from servers.runtime.call import Call, acting
from servers.runtime.errors import from_rpc
from servers.runtime.ids import new_correlation_id, new_id
from servers.runtime.settings import Placement, Settings, child_environment
from tests.breakable_stores import BreakableStores
from tests.hosting import Somebody, hosting, until
from tests.production_memory.embedder import Embedder
from tests.production_memory.memory import Memory
from tests.production_memory.vectors import vectors_of

SEED = 4
WRITERS = 8
WRITES = 1000
"""Calls that commit something: messages, answers, imports."""
KILLS_WHILE_WRITING, KILLS_WHILE_EMBEDDING = 4, 2
IMPORTED = 5

T = TypeVar("T")


@dataclass
class Written:
    """What was acknowledged, by conversation, in order."""

    calls: int = 0
    messages: dict[str, list[str]] = field(default_factory=dict)

    def add(self, conversation_id: str, *message_ids: str) -> None:
        self.calls += 1
        self.messages.setdefault(conversation_id, []).extend(message_ids)


async def acknowledged(call: Callable[[], Awaitable[T]]) -> T:
    """What the call gives in the end: a client repeats it, as it is, while that may help."""
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if not from_rpc(error).may_retry:
                raise
        await asyncio.sleep(0.05)


async def write(memory: Memory, written: Written) -> None:
    """Turns, and an import after every fourth, until all writers together have written enough."""
    for number in count():
        if written.calls >= WRITES:
            return
        if number % 5 == 4:
            request = importing(memory.conversation_id)
            imported = await acknowledged(lambda r=request: memory.stub.ImportMessages(r))
            written.add(memory.conversation_id, *imported.message_ids)
            continue
        id_, text = new_id("req"), f"{memory.conversation_id} {number}"
        begun = await acknowledged(lambda t=text, i=id_: memory.begin(t, request_id=i))
        written.add(memory.conversation_id, begun.led_turn.message.id)
        turn_id = begun.led_turn.turn.id
        ended = await acknowledged(lambda t=turn_id, a=text: memory.finish(t, f"answer to {a}"))
        written.add(memory.conversation_id, ended.answer.id)


def importing(conversation_id: str) -> ImportMessagesRequest:
    """A few messages of another system."""
    said = ImportedMessage(
        role=MessageRole.MESSAGE_ROLE_USER, content="said elsewhere", timestamp=Timestamp(seconds=1)
    )
    return ImportMessagesRequest(
        conversation_id=conversation_id, request_id=new_id("req"), messages=[said] * IMPORTED
    )


@dataclass
class Victim:
    """Production memory in a process of its own, under a supervisor that starts it again."""

    supervisor: Supervisor
    killed: set[int] = field(default_factory=set)

    async def kill(self) -> None:
        """SIGKILL, to a process that was not killed yet."""

        async def another() -> bool:
            return self.supervisor.pid("production_memory") not in self.killed

        await until(another)
        pid = self.supervisor.pid("production_memory")
        self.killed.add(pid)
        os.kill(pid, signal.SIGKILL)


async def killing(victim: Victim, written: Written, chance: random.Random) -> None:
    """Kills it when so much was written, and a moment later."""
    for place in sorted(chance.sample(range(20, WRITES - 20), KILLS_WHILE_WRITING)):
        while written.calls < place:  # writers do not tell
            await asyncio.sleep(0.002)
        await asyncio.sleep(chance.uniform(0, 0.02))
        await victim.kill()


async def counts(memory: Memory) -> JobCount:
    """The embed jobs that there are."""
    with acting(Call(new_correlation_id())):
        response = await acknowledged(lambda: memory.stub.CountJobs(CountJobsRequest()))
    return response.counts[0] if response.counts else JobCount()


async def drained(memory: Memory, victim: Victim, chance: random.Random) -> None:
    """Returns when no job is left; on the way there it is killed some more."""
    most = await counts(memory)
    for left in sorted(chance.sample(range(most.waiting), KILLS_WHILE_EMBEDDING), reverse=True):

        async def so_few(few: int = left) -> bool:
            return (await counts(memory)).waiting <= few

        await until(so_few)
        await victim.kill()

    async def none() -> bool:
        await age_picked_jobs(memory.wiring.settings)
        now = await counts(memory)
        return not (now.waiting or now.running)

    await until(none)


async def age_picked_jobs(settings: Settings) -> None:
    """As if the time had passed after which the jobs of a dead worker are taken again."""
    assert settings.postgres_url is not None
    connection = await asyncpg.connect(settings.postgres_url.get_secret_value())
    await connection.execute(
        "UPDATE production_memory.pgqueuer SET heartbeat = now() - interval '1 hour'"
        " WHERE status = 'picked'"
    )
    await connection.close()


async def stored(memory: Memory) -> list[str]:
    """Ids of a conversation's messages in Postgres, in order, page by page."""
    found, token = list[str](), ""
    while True:
        page = await memory.messages(page_size=200, page_token=token)
        found += [message.id for message in page.messages]
        token = page.next_page_token
        if not token:
            return found[::-1]


def program(settings: Settings) -> Program:
    """What `kari up --spread` runs for production memory."""
    given = {
        "KARI_DATA": str(settings.data),
        "KARI_PLACEMENT": "spread",
        "KARI_GRPC_PORT": str(settings.grpc_port),
        "KARI_MILVUS_TOKEN": secret(settings.milvus_token),
        **{
            f"KARI_{store.upper()}_URL": secret(getattr(settings, f"{store}_url"))
            for store in ("postgres", "redis", "milvus")
        },
    }
    programs = [each for wave in mesh_waves(settings, child_environment(**given)) for each in wave]
    return next(each for each in programs if each.name == "production_memory")


def secret(value: SecretStr | None) -> str:
    assert value is not None
    return value.get_secret_value()


@pytest.fixture
async def breakable(tmp_path: Path) -> AsyncIterator[BreakableStores]:
    async with BreakableStores(tmp_path) as stores:
        yield stores


async def test_nothing_acknowledged_is_lost_or_left_without_a_vector(
    breakable: BreakableStores, tmp_path: Path
) -> None:
    """Postgres has what was acknowledged, once and in order, and Milvus has all of it."""
    chance, written, tenant = random.Random(SEED), Written(), new_id("tenant")
    spread = breakable.settings().model_copy(update={"placement": Placement.SPREAD})
    async with AsyncExitStack() as stack:
        embedder = Embedder()
        wiring = await stack.enter_async_context(hosting(spread, others=[embedder.hosted()]))
        supervisor = Supervisor(tmp_path, print, stop_seconds=5, backoff=Backoff(0, 0))
        await stack.enter_async_context(supervisor)
        await supervisor.start(program(wiring.settings))
        victim = Victim(supervisor)
        writers = [
            Memory(wiring, embedder, Somebody(tenant_id=tenant), lease_seconds=300)
            for _ in range(WRITERS)
        ]

        async def writes(memory: Memory) -> None:
            with memory.somebody.acts(wiring):
                await write(memory, written)

        await asyncio.gather(killing(victim, written, chance), *map(writes, writers))
        await drained(writers[0], victim, chance)
        assert len(victim.killed) == KILLS_WHILE_WRITING + KILLS_WHILE_EMBEDDING
        for memory in writers:
            with memory.somebody.acts(wiring):
                assert await stored(memory) == written.messages[memory.conversation_id]
        assert (await counts(writers[0])).failed == 0
        everything = {id_ for ids in written.messages.values() for id_ in ids}
        assert set(await vectors_of(wiring.settings, tenant, most=10_000)) == everything
