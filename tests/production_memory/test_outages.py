"""Stores fail: nothing acknowledged is lost, and what can go on goes on."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1 import production_memory_pb2 as contract
from tests.breakable_stores import BreakableStores
from tests.hosting import Somebody, hosting, until
from tests.production_memory.calling import answer, asked, asking, ended, record
from tests.production_memory.embedder import Embedder
from tests.production_memory.memory import Memory, refusal
from tests.production_memory.vectors import vectors_of


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BreakableStores]:
    async with BreakableStores(tmp_path_factory.mktemp("breakable")) as stores:
        yield stores


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(breakable: BreakableStores) -> AsyncIterator[Memory]:
    embedder = Embedder()
    others = [embedder.hosted()]
    async with hosting(breakable.settings(), "production_memory", others=others) as wiring:
        yield Memory(wiring, embedder, Somebody())


@pytest.fixture
def memory(server: Memory) -> Iterator[Memory]:
    with (mine := server.as_somebody()).somebody.acts(mine.wiring):
        yield mine


def writes(target: str, outcome: str) -> float:
    labels = {"target": target, "outcome": outcome}
    return REGISTRY.get_sample_value("kari_chat_memory_writes_total", labels) or 0.0


def unbuffered() -> float:
    return writes("session_buffer", "unavailable")


async def test_without_postgres_turns_are_refused_until_it_is_back(
    memory: Memory, breakable: BreakableStores
) -> None:
    """What was acknowledged before the power failed is there after it."""
    turn_id = (await memory.begin("before")).led_turn.turn.id
    await breakable.kill("postgres")
    for call in (memory.finish(turn_id), memory.messages()):
        refused = await refusal(call)
        assert (refused.reason, refused.retryable) == (Reason.REASON_STORE_UNAVAILABLE, True)
        assert refused.details["store"] == "postgres"
    await breakable.start("postgres")
    await memory.finish(turn_id, "after")
    contents = [message.content for message in (await memory.messages()).messages]
    assert contents == ["after", "before"]


async def test_a_question_outlives_whoever_asked_it(
    memory: Memory, breakable: BreakableStores
) -> None:
    """The process that led the turn is gone for good, and so is the one that kept it."""
    question = asked("mail.send")
    turn_id = await asking(memory, question)
    await breakable.kill("postgres")
    await breakable.start("postgres")
    async with hosting(breakable.settings(), "production_memory") as wiring:
        later = replace(memory, wiring=wiring, owner="orchestrator-2")
        with later.somebody.acts(wiring):
            assert list((await later.turn(turn_id)).turn.pending_steps) == [question]
            led = (await answer(later, turn_id, question)).led_turn
            assert led.lease.number == 2
            await record(later, turn_id, ended(question), number=2)
            sent = await later.finish(turn_id, "Sent.", number=2)
    assert [use.tool_id for use in sent.answer.tools_called] == ["mail.send"]


async def test_a_request_repeated_over_an_outage_is_taken_in_once(
    memory: Memory, breakable: BreakableStores
) -> None:
    first = await memory.begin("hello", request_id="r1")
    await breakable.kill("postgres")
    await refusal(memory.begin("hello", request_id="r1"))
    await breakable.start("postgres")
    again = await memory.begin("hello", request_id="r1")
    assert again.repeated_request
    assert again.led_turn.turn.id == first.led_turn.turn.id


async def test_without_redis_turns_go_on_and_it_is_counted(
    memory: Memory, breakable: BreakableStores
) -> None:
    await breakable.kill("redis")
    before = unbuffered()
    await memory.exchange("question", "answer")
    request = contract.ListRecentMessagesRequest(
        conversation_id=memory.conversation_id, through_sequence=2, limit=10
    )
    assert len((await memory.stub.ListRecentMessages(request)).messages) == 2
    assert unbuffered() == before + 4
    await breakable.start("redis")


async def test_a_redis_that_says_nothing_holds_no_turn_up(
    memory: Memory, breakable: BreakableStores
) -> None:
    """The deadline of the call is not used up waiting for it."""
    breakable.freeze("redis")
    before = unbuffered()
    await memory.exchange("question", "answer")
    breakable.thaw("redis")
    assert unbuffered() == before + 2


async def test_without_milvus_jobs_wait_and_are_done_later(
    memory: Memory, breakable: BreakableStores
) -> None:
    await breakable.kill("milvus")
    before = writes("vectors", "failed")
    ended = await memory.exchange("question", "answer")

    async def tried() -> bool:
        return writes("vectors", "failed") > before

    await until(tried)
    await breakable.start("milvus")

    async def embedded() -> bool:
        found = await vectors_of(memory.wiring.settings, memory.somebody.tenant_id)
        return set(found) == {ended.turn.user_message_id, ended.answer.id}

    await until(embedded)
