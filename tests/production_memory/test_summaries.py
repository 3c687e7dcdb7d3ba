"""Summaries are kept once, follow each other, and are seen by their tenant alone."""

from dataclasses import replace

import asyncpg
import pytest

from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.runtime.ids import new_id
from tests.hosting import until
from tests.production_memory.embedder import values_of
from tests.production_memory.memory import Memory, refusal
from tests.production_memory.summarized import EPISODIC, ids_of, listed, summary, write
from tests.production_memory.vectors import vectors_of


async def talked(memory: Memory, turns: int) -> list[str]:
    """A conversation of so many turns; the ids of its messages."""
    for number in range(turns):
        await memory.exchange(f"question {number}", f"answer {number}")
    return await ids_of(memory)


async def test_a_summary_is_kept_as_it_was_given(memory: Memory) -> None:
    given = summary(memory, await talked(memory, 2), 1, 4)
    kept = await write(memory, given)
    assert not kept.repeated_request
    assert kept.summary.id.startswith("sum_")
    assert kept.summary.HasField("created_at")
    given.id = kept.summary.id
    given.created_at.CopyFrom(kept.summary.created_at)
    assert kept.summary == given
    assert list((await listed(memory)).summaries) == [given]
    found = await memory.stub.GetSummaries(
        contract.GetSummariesRequest(summary_ids=[new_id("sum"), given.id])
    )
    assert list(found.summaries) == [given]


async def test_a_repeated_summary_is_the_first_one(memory: Memory) -> None:
    """Even if it says it in other words."""
    ids = await talked(memory, 2)
    first = await write(memory, summary(memory, ids, 1, 4))
    again = await write(memory, summary(memory, ids, 1, 4, summary="in other words"))
    assert (again.summary, again.repeated_request) == (first.summary, True)
    assert len((await listed(memory)).summaries) == 1


async def test_summaries_of_a_kind_leave_no_gap_and_do_not_overlap(memory: Memory) -> None:
    ids = await talked(memory, 4)
    await write(memory, summary(memory, ids, 1, 4))
    for first, last in ((1, 3), (3, 6), (6, 8)):
        refused = await refusal(write(memory, summary(memory, ids, first, last)))
        assert refused.reason == Reason.REASON_VERSION_CONFLICT
        assert refused.details["covered_through"] == "4"
    await write(memory, summary(memory, ids, 5, 8))
    await write(memory, summary(memory, ids, 1, 8, kind=EPISODIC))


async def test_a_summary_names_messages_that_stand_where_it_says(memory: Memory) -> None:
    ids = await talked(memory, 2)
    for wrong in (list(reversed(ids)), [*ids[:3], new_id("msg")]):
        refused = await refusal(write(memory, summary(memory, wrong, 1, 4)))
        assert refused.reason == Reason.REASON_MESSAGE_NOT_FOUND
    await write(memory, summary(memory, ids, 1, 4))


@pytest.mark.parametrize(
    ("field", "value"),
    [("conversation_id", ""), ("kind", 0), ("kind", 77), ("message_range", None)],
)
async def test_a_summary_says_what_it_is_of(memory: Memory, field: str, value: object) -> None:
    given = summary(memory, await talked(memory, 2), 1, 4)
    given.ClearField(field)
    if value:
        setattr(given, field, value)
    refused = await refusal(write(memory, given))
    assert refused.reason == Reason.REASON_FIELD_INVALID
    assert refused.violations[0].field.startswith(f"summary.{field}")


async def test_a_summary_without_bounds_is_refused(memory: Memory) -> None:
    ids = await talked(memory, 2)
    for wrong in ({"summary": "x" * 1501}, {"key_topics": ["x"] * 9}, {"summary": "\0"}):
        refused = await refusal(write(memory, summary(memory, ids, 1, 4, **wrong)))
        assert refused.reason == Reason.REASON_FIELD_INVALID


async def test_summaries_are_listed_in_pages_the_latest_first(memory: Memory) -> None:
    ids = await talked(memory, 6)
    for first in (1, 5, 9):
        await write(memory, summary(memory, ids, first, first + 3))
    await write(memory, summary(memory, ids, 1, 12, kind=EPISODIC))
    places, token = [], ""
    while True:
        page = await listed(memory, page_size=2, page_token=token)
        places += [(s.message_range.first_sequence, s.kind) for s in page.summaries]
        if not (token := page.next_page_token):
            break
    assert [first for first, _ in places] == [1, 9, 5, 1]
    only = await listed(memory, kind=EPISODIC)
    assert [s.kind for s in only.summaries] == [EPISODIC]


async def test_a_conversation_that_is_not_there_has_no_summaries(memory: Memory) -> None:
    ids = await talked(memory, 2)
    stranger = replace(memory, conversation_id=new_id("conv"))
    refused = await refusal(write(stranger, summary(stranger, ids, 1, 4)))
    assert refused.reason == Reason.REASON_CONVERSATION_NOT_FOUND
    assert not (await listed(stranger)).summaries


async def test_another_tenant_neither_reads_nor_writes_them(memory: Memory) -> None:
    ids = await talked(memory, 4)
    kept = await write(memory, summary(memory, ids, 1, 4))
    other = replace(memory.as_somebody(), conversation_id=memory.conversation_id)
    with other.somebody.acts(other.wiring):
        refused = await refusal(write(other, summary(memory, ids, 5, 8)))
        assert refused.reason == Reason.REASON_CONVERSATION_NOT_FOUND
        assert not (await listed(other)).summaries
        request = contract.GetSummariesRequest(summary_ids=[kept.summary.id])
        assert not (await other.stub.GetSummaries(request)).summaries


async def test_the_database_keeps_tenants_apart_and_summaries_as_they_are(memory: Memory) -> None:
    await write(memory, summary(memory, await talked(memory, 2), 1, 4))
    counts = []
    for tenant_id in (memory.somebody.tenant_id, new_id("tenant"), "", None):
        connection = await memory.connect(tenant_id)
        counts.append(await connection.fetchval("SELECT count(*) FROM summaries"))
        for statement in ("UPDATE summaries SET content = ''", "DELETE FROM summaries"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()
    assert counts == [1, 0, 0, 0]


async def test_a_summary_has_its_vector_beside_those_of_messages(memory: Memory) -> None:
    kept = (await write(memory, summary(memory, await talked(memory, 2), 1, 4))).summary
    settings, tenant_id = memory.wiring.settings, memory.somebody.tenant_id

    async def there() -> dict | None:
        return (await vectors_of(settings, tenant_id)).get(kept.id)

    row = await until(there)
    assert row["vector"] == values_of("Summary: apples\nUser: apples are red.")
    assert (row["role"], row["conversation_id"]) == ("summary", memory.conversation_id)
    last = (await memory.messages(page_size=1)).messages[0]
    assert row["created_at_ms"] == last.timestamp.ToMilliseconds()


async def test_messages_are_listed_up_to_a_place(memory: Memory) -> None:
    """As whoever summarizes a part of a long conversation reads it."""
    ids = await talked(memory, 3)
    page = await memory.messages(through_sequence=4, page_size=3)
    assert [message.id for message in page.messages] == [ids[3], ids[2], ids[1]]
    rest = await memory.messages(page_token=page.next_page_token)
    assert [message.id for message in rest.messages] == [ids[0]]
