"""All vectors can be made again from Postgres."""

from kari.production_memory.v1.production_memory_pb2 import ReindexRequest, ReindexResponse
from servers.runtime.call import Call, acting
from servers.runtime.ids import new_correlation_id
from tests.hosting import until
from tests.production_memory.filed import indexed
from tests.production_memory.memory import Memory
from tests.production_memory.summarized import ids_of, summary, write
from tests.production_memory.vectors import forget_vectors_of, vectors_of


async def reindexed(memory: Memory, page_token: str = "") -> list[ReindexResponse]:
    """Everything that is told, to the end; without a user, as the operator calls."""
    with acting(Call(new_correlation_id())):
        call = memory.stub.Reindex(ReindexRequest(page_token=page_token))
        return [step async for step in call]


async def count(memory: Memory) -> int:
    return len(await vectors_of(memory.wiring.settings, memory.somebody.tenant_id))


async def test_vectors_that_are_gone_come_back(memory: Memory) -> None:
    """Every message's, and the last that is told is that nothing is left to do."""
    for number in range(3):
        await memory.exchange(f"question {number}", f"answer {number}")

    async def all_there() -> bool:
        return await count(memory) == 6

    await until(all_there)
    await forget_vectors_of(memory.wiring.settings, memory.somebody.tenant_id)
    assert await count(memory) == 0
    steps = await reindexed(memory)
    assert await count(memory) == 6
    assert steps[-1].queued >= 6
    assert steps[-1].jobs_left == 0


async def test_whoever_goes_on_begins_behind_what_was_queued(memory: Memory) -> None:
    await memory.exchange("question", "answer")
    token = (await reindexed(memory))[-1].page_token
    assert (await reindexed(memory, token))[-1].queued == 0


async def test_what_is_queued_meanwhile_is_not_waited_for(memory: Memory) -> None:
    """Under load there is always a job; nor is another kind's waited for."""
    await memory.exchange("question", "answer")
    connection = await memory.connect()
    add = (
        "INSERT INTO pgqueuer (priority, entrypoint, payload, status, execute_after)"
        " VALUES (0, $1, '{}', 'queued', now() + interval '1 hour') RETURNING id"
    )
    jobs = [await connection.fetchval(add, kind) for kind in ("learn", "embed")]
    steps: list[ReindexResponse] = []
    with acting(Call(new_correlation_id())):
        async for step in memory.stub.Reindex(ReindexRequest()):
            steps.append(step)
            if step.jobs_left and len(jobs) == 2:
                jobs.append(await connection.fetchval(add, "embed"))
                await connection.execute("DELETE FROM pgqueuer WHERE id = $1", jobs[1])
    await connection.execute("DELETE FROM pgqueuer WHERE id = ANY($1::bigint[])", jobs)
    await connection.close()
    assert len(jobs) == 3
    assert steps[-1].jobs_left == 0


async def test_summaries_get_their_vectors_back_as_well(memory: Memory) -> None:
    """After the messages; whoever goes on behind one goes on among summaries."""
    await memory.exchange("question", "answer")
    kept = (await write(memory, summary(memory, await ids_of(memory), 1, 2))).summary

    async def all_there() -> bool:
        return await count(memory) == 3

    await until(all_there)
    await forget_vectors_of(memory.wiring.settings, memory.somebody.tenant_id)
    steps = await reindexed(memory)
    found = await vectors_of(memory.wiring.settings, memory.somebody.tenant_id)
    assert len(found) == 3
    assert kept.id in found
    assert (await reindexed(memory, steps[-1].page_token))[-1].queued == 0


async def test_files_get_their_vectors_back_as_well(memory: Memory) -> None:
    """After everything else."""
    file_id = await indexed(memory.wiring, "whales", "ships")
    settings, tenant_id = memory.wiring.settings, memory.somebody.tenant_id

    async def both() -> bool:
        return len(await vectors_of(settings, tenant_id, "file_chunks")) == 2

    await until(both)
    await forget_vectors_of(settings, tenant_id, "file_chunks")
    steps = await reindexed(memory)
    found = await vectors_of(settings, tenant_id, "file_chunks")
    assert sorted(found) == [f"{file_id}:000000", f"{file_id}:000001"]
    assert (await reindexed(memory, steps[-1].page_token))[-1].queued == 0
