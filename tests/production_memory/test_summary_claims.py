"""Conversations that are due for a summary are found, claimed by one, and given again if nothing
comes of it."""

import asyncio
from dataclasses import replace
from functools import partial

import asyncpg
import pytest

from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.production_memory.quiet import Quiet
from servers.production_memory.summary_claims import (
    FEWEST_OF_EPISODE,
    MOST_OF_EPISODE,
    SummaryClaims,
)
from servers.runtime.ids import new_id
from servers.runtime.postgres import open_database, ping
from servers.runtime.resources import Resources
from servers.runtime.settings import Settings
from tests.hosting import until
from tests.production_memory.importing import import_lines
from tests.production_memory.memory import Memory
from tests.production_memory.summarized import (
    EPISODIC,
    HOUR,
    NONE,
    ROLLING,
    claimed,
    due,
    ids_of,
    summary,
    write,
)


async def talk(memory: Memory, turns: int) -> None:
    for number in range(turns):
        await memory.exchange(f"question {number}", f"answer {number}")


async def test_a_rolling_summary_is_due_after_so_many_turns(memory: Memory) -> None:
    """Not one turn earlier, and for just these turns, however late somebody comes."""
    await talk(memory, 1)
    assert await claimed(memory) == []
    await talk(memory, 2)
    task = await due(memory)
    assert (task.conversation_id, task.user_id) == (memory.conversation_id, memory.somebody.user_id)
    assert (task.kind, task.first_sequence, task.last_sequence) == (ROLLING, 1, 4)


async def test_the_next_one_begins_behind_it(memory: Memory) -> None:
    await talk(memory, 5)
    for first in (1, 5):
        task = await due(memory)
        assert (task.first_sequence, task.last_sequence) == (first, first + 3)
        given = summary(memory, await ids_of(memory), task.first_sequence, task.last_sequence)
        await write(memory, given)
    assert await claimed(memory) == []


async def test_an_episode_ends_when_the_conversation_rests(memory: Memory) -> None:
    await talk(memory, 2)
    assert await claimed(memory, turns=50) == []
    await wake(memory)
    task = await due(memory, turns=50, rest=NONE)
    assert (task.kind, task.first_sequence, task.last_sequence) == (EPISODIC, 1, 4)
    await write(memory, summary(memory, await ids_of(memory), 1, 4, kind=EPISODIC))
    assert await claimed(memory, turns=50, rest=NONE) == []
    await talk(memory, 2)
    task = await due(memory, turns=50, rest=NONE)
    assert (task.first_sequence, task.last_sequence) == (5, 8)


async def test_a_few_words_are_no_episode(memory: Memory) -> None:
    assert FEWEST_OF_EPISODE == 4
    await talk(memory, 1)
    assert await claimed(memory, turns=50, rest=NONE) == []
    assert await look_at(memory) is None
    await talk(memory, 1)
    assert (await due(memory, turns=50, rest=NONE)).last_sequence == 4


async def test_what_is_claimed_is_not_given_to_others(memory: Memory) -> None:
    await talk(memory, 2)
    await due(memory)
    assert await claimed(memory) == []


async def test_a_claim_that_nobody_answers_is_given_again(memory: Memory) -> None:
    """The first time after its lease, then after twice as long: a task that ends whoever takes it
    must not take them all."""
    await talk(memory, 2)
    first = await due(memory, lease_seconds=0.2)
    assert await due(memory, lease_seconds=1000) == first
    assert 1990 < await seconds_until_looked_at(memory) <= 2000


async def test_an_answered_claim_starts_from_the_beginning_again(memory: Memory) -> None:
    await talk(memory, 4)
    await due(memory, lease_seconds=0.1)
    await due(memory, lease_seconds=0.1)
    await write(memory, summary(memory, await ids_of(memory), 1, 4))
    await due(memory, lease_seconds=1000)
    assert 990 < await seconds_until_looked_at(memory) <= 1000


async def test_several_share_what_is_due(memory: Memory) -> None:
    for _ in range(6):
        await talk(replace(memory, conversation_id=new_id("conv")), 2)
    found: list[str] = []

    async def all_found() -> bool:
        for tasks in await asyncio.gather(*(claimed(memory, limit=2) for _ in range(3))):
            found.extend(task.conversation_id for task in tasks)
        return len(found) >= 6

    await until(all_found)
    assert len(set(found)) == len(found) == 6


async def test_imported_messages_count_and_are_parted(memory: Memory) -> None:
    await import_lines(memory, [f"Ada: line {number}" for number in range(MOST_OF_EPISODE + 10)])
    task = await due(memory, turns=200, rest=NONE)
    assert (task.kind, task.first_sequence, task.last_sequence) == (EPISODIC, 1, MOST_OF_EPISODE)
    assert task.user_id == memory.somebody.user_id


async def test_a_rolling_summary_falls_due_with_the_message_that_completes_it(
    memory: Memory,
) -> None:
    """Once somebody has looked, nobody looks again before: an active conversation costs nothing."""
    await talk(memory, 1)
    assert await claimed(memory, turns=3) == []
    assert await seconds_until_looked_at(memory) > 3000
    await talk(memory, 1)
    assert await seconds_until_looked_at(memory) > 3000
    await talk(memory, 1)
    assert await seconds_until_looked_at(memory) <= 0
    assert (await due(memory, turns=3)).last_sequence == 6


async def test_an_import_that_completes_one_makes_it_due(memory: Memory) -> None:
    await talk(memory, 1)
    assert await claimed(memory, turns=3) == []
    await import_lines(memory, [f"Ada: line {number}" for number in range(9)])
    assert (await due(memory, turns=3)).last_sequence == 6


async def test_while_turns_come_and_go_summaries_wait() -> None:
    """They have their share of the time even then; what is not theirs yet is not looked for."""
    resources = Resources()
    nowhere = partial(open_database, Settings(), "production_memory", largest=1)
    database = resources.add("nowhere", nowhere, ping, required=False)
    request = contract.ClaimSummariesRequest(rolling_turns=2, rest=HOUR)
    never = Quiet(still=3600, shortest=3600, longest=3600)
    never.disturb()
    assert await SummaryClaims(database, never, wait_seconds=0.01).claim(request) == []
    share = Quiet(still=3600, shortest=0, longest=0)
    share.disturb()
    with pytest.raises(LookupError, match="KARI_POSTGRES_URL"):
        await SummaryClaims(database, share, wait_seconds=0.01).claim(request)


async def test_what_is_not_due_is_put_off_until_it_may_be(memory: Memory) -> None:
    await talk(memory, 2)
    assert await claimed(memory, turns=50, rest=HOUR) == []
    assert 3590 < await seconds_until_looked_at(memory) <= 3600


async def test_looking_reads_an_index_and_no_message(owner: asyncpg.Connection) -> None:
    """As the function looks: so it costs the same with a hundred thousand conversations."""
    await owner.execute("SET ROLE kari_production_memory_sweeper")
    # A handful of rows is sorted faster than looked up; what matters is that they can be.
    for way in ("seqscan", "bitmapscan", "sort"):
        await owner.execute(f"SET enable_{way} = off")
    plan = await owner.fetch(
        "EXPLAIN SELECT conversation_id FROM production_memory.threads"
        " WHERE summary_look_at <= now() ORDER BY summary_look_at LIMIT 200"
    )
    assert any("threads_to_look_at" in row[0] for row in plan)
    assert not any("Sort" in row[0] for row in plan)


async def look_at(memory: Memory) -> object:
    return await in_thread(memory, "summary_look_at")


async def seconds_until_looked_at(memory: Memory) -> float:
    left = await in_thread(memory, "extract(epoch FROM summary_look_at - statement_timestamp())")
    return float(str(left))


async def wake(memory: Memory) -> None:
    """As if the time had come to look at the conversation again."""
    connection: asyncpg.Connection = await memory.connect(memory.somebody.tenant_id)
    await connection.execute("UPDATE threads SET summary_look_at = statement_timestamp()")
    await connection.close()


async def in_thread(memory: Memory, column: str) -> object:
    connection: asyncpg.Connection = await memory.connect(memory.somebody.tenant_id)
    try:
        return await connection.fetchval(
            f"SELECT {column} FROM threads WHERE conversation_id = $1", memory.conversation_id
        )
    finally:
        await connection.close()
