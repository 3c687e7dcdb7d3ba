"""Every committed message gets its vector, at least once, and no turn waits for it."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from kari.errors.v1.errors_pb2 import Reason
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.store import Vector
from servers.production_memory.store_milvus import MilvusStore, open_vectors
from servers.runtime.errors import InvalidRequest, Unavailable
from servers.runtime.ids import new_id
from servers.runtime.milvus import Milvus
from tests.hosting import until
from tests.production_memory.embedder import values_of
from tests.production_memory.memory import FAILED, Memory
from tests.production_memory.vectors import vectors_of


async def vectors(memory: Memory, count: int) -> dict:
    """The vectors of this tenant, once there are so many."""
    settings, tenant_id = memory.wiring.settings, memory.somebody.tenant_id

    async def enough() -> dict | None:
        found = await vectors_of(settings, tenant_id)
        return found if len(found) >= count else None

    return await until(enough)


async def jobs_of(connection: asyncpg.Connection, tenant_id: str, status: str) -> int:
    return await connection.fetchval(
        "SELECT count(*) FROM pgqueuer WHERE status = $2::text::pgqueuer_status"
        " AND position($1 IN convert_from(payload, 'UTF8')) > 0",
        tenant_id,
        status,
    )


async def test_question_and_answer_are_embedded_after_the_turn(memory: Memory) -> None:
    ended = await memory.exchange("question", "answer")
    found = await vectors(memory, 2)
    assert set(found) == {ended.turn.user_message_id, ended.answer.id}
    row = found[ended.answer.id]
    assert row["vector"] == values_of("Assistant: answer\nUser: question")
    assert (row["conversation_id"], row["role"]) == (memory.conversation_id, "assistant")
    assert row["created_at_ms"] == ended.answer.timestamp.ToMilliseconds()
    assert "content" not in row


async def test_a_turn_without_an_answer_has_its_question_embedded(memory: Memory) -> None:
    begun = await memory.begin("question")
    await memory.finish(begun.led_turn.turn.id, "", state=FAILED)
    assert set(await vectors(memory, 1)) == {begun.led_turn.message.id}


async def test_many_messages_are_embedded_with_few_calls(memory: Memory) -> None:
    before = len(memory.embedder.batches)
    memory.embedder.failure = Unavailable(Reason.REASON_SERVER_UNAVAILABLE, "starting")
    try:
        for number in range(8):
            await memory.exchange(f"question {number}", f"answer {number}")
    finally:
        memory.embedder.failure = None
    assert len(await vectors(memory, 16)) == 16
    assert max(memory.embedder.batches[before:]) > 2


async def test_a_text_that_cannot_be_embedded_holds_no_other_up(memory: Memory) -> None:
    """Its job is set aside for an operator to see; what was taken with it is done."""
    memory.embedder.refused = memory.somebody.tenant_id
    memory.embedder.refusal = InvalidRequest(Reason.REASON_FIELD_INVALID, "not this one")
    connection = await memory.connect()
    await memory.exchange(f"about {memory.somebody.tenant_id}", "answer")
    good = await memory.exchange("question", "answer")

    async def set_aside() -> bool:
        return await jobs_of(connection, memory.somebody.tenant_id, "failed") == 1

    await until(set_aside)
    assert set(await vectors(memory, 2)) == {good.turn.user_message_id, good.answer.id}
    memory.embedder.refusal = None
    await connection.close()


async def test_done_jobs_leave_the_queue(memory: Memory) -> None:
    await memory.exchange("question", "answer")
    connection = await memory.connect()

    async def none_left() -> bool:
        left = await asyncio.gather(*[jobs_of(connection, memory.somebody.tenant_id, "queued")])
        return not any(left)

    await vectors(memory, 2)
    await until(none_left)
    await connection.close()


async def test_a_job_whose_worker_died_is_taken_again(memory: Memory) -> None:
    """It was picked, and nothing was heard of it."""
    ended = await memory.exchange("question", "answer")
    await vectors(memory, 2)
    connection = await memory.connect()
    job = EmbedJob(memory.somebody.tenant_id, (ended.answer.id,))
    await connection.execute(
        "INSERT INTO pgqueuer (priority, entrypoint, payload, status, queue_manager_id, heartbeat)"
        " VALUES (0, 'embed', $1, 'picked', gen_random_uuid(), now() - interval '1 hour')",
        job.payload(),
    )
    await memory.exchange("wakes", "the worker")

    async def none_left() -> bool:
        return not await jobs_of(connection, memory.somebody.tenant_id, "picked")

    await until(none_left)
    assert len(await vectors(memory, 4)) == 4
    await connection.close()


async def test_a_vector_written_again_replaces_itself(memory: Memory) -> None:
    """The contract of every vector store: here of Milvus."""
    settings = memory.wiring.settings
    tenant_id, message_id = memory.somebody.tenant_id, new_id("msg")
    vector = Vector(message_id, tenant_id, new_id("conv"), "user", 1, values_of("first"))
    async with open_vectors(settings) as store:
        await store.write([vector])
        await store.write([replace(vector, values=values_of("second"))])
        found = await vectors_of(settings, tenant_id)
        assert list(found) == [message_id]
        assert found[message_id]["vector"] == values_of("second")
        await store.ping()


async def test_a_milvus_that_is_away_is_unavailable() -> None:
    milvus = Milvus("http://127.0.0.1:1", "token")
    store = MilvusStore(milvus)
    with pytest.raises(Unavailable) as caught:
        await store.write([Vector("m", "t", "c", "user", 1, values_of("x"))])
    assert caught.value.details == {"store": "milvus"}
    with pytest.raises(OSError, match="Connect call failed"):
        await store.ping()
    await milvus.close()
