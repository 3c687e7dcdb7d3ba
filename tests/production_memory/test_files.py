"""The text of files: kept in pieces, given to whoever may read it, erased everywhere."""

import asyncio

import pytest

from kari.conversation_models.v1.file_pb2 import Anchor, SheetRow, TextChunk
from kari.errors.v1.errors_pb2 import Reason
from servers.production_memory.embedding import MOST_TEXTS
from servers.production_memory.file_chunk import MOST_CHARACTERS, MOST_CHUNKS
from servers.production_memory.files import JOB_PIECES
from servers.runtime.errors import Unavailable
from servers.runtime.ids import new_id
from tests.hosting import until
from tests.production_memory.filed import (
    chunks_of,
    dropped,
    indexed,
    pieces,
    shared,
    untexted,
)
from tests.production_memory.memory import Memory, refusal
from tests.production_memory.vectors import vectors_of

COLLECTION = "file_chunks"


def texts(response: object) -> list[str]:
    return [chunk.text for chunk in response.chunks]  # type: ignore[attr-defined]


async def vectors(memory: Memory) -> dict[str, dict[str, object]]:
    return await vectors_of(memory.wiring.settings, memory.somebody.tenant_id, COLLECTION)


async def test_pieces_come_back_in_order_with_their_places(memory: Memory) -> None:
    sheet = Anchor(row=SheetRow(sheet="Costs", row=7))
    chunks = [*pieces("second", first=1), TextChunk(index=0, text="first", anchor=sheet)]
    file_id = await indexed(memory.wiring, name="costs.xlsx", chunks=chunks)
    found = await chunks_of(memory.wiring, file_id)
    assert texts(found) == ["first", "second"]
    assert found.chunks[0].anchor == sheet
    assert (found.name, found.total) == ("costs.xlsx", 2)


async def test_a_file_may_have_no_text(memory: Memory) -> None:
    """Which is more than that nobody knows of any; until it is dropped, or has some after all."""
    file_id = new_id("file")
    assert not (await chunks_of(memory.wiring, file_id)).indexed
    await untexted(memory.wiring, file_id)
    found = await chunks_of(memory.wiring, file_id)
    assert (found.indexed, found.total, found.name) == (True, 0, "sea.png")
    await indexed(memory.wiring, "a sail", file_id=file_id)
    assert (await chunks_of(memory.wiring, file_id)).total == 1
    await dropped(memory.wiring, file_id)
    assert not (await chunks_of(memory.wiring, file_id)).indexed


async def test_a_part_of_the_pieces_can_be_asked_for(memory: Memory) -> None:
    file_id = await indexed(memory.wiring, *(f"page {n}" for n in range(30)))
    assert len(texts(await chunks_of(memory.wiring, file_id))) == 20
    some = await chunks_of(memory.wiring, file_id, from_index=28, limit=5)
    assert texts(some) == ["page 28", "page 29"]
    assert some.total == 30


async def test_the_same_piece_again_takes_the_place_of_the_first(memory: Memory) -> None:
    file_id = await indexed(memory.wiring, "draft", "end")
    await indexed(memory.wiring, "final", file_id=file_id, name="final.pdf")
    found = await chunks_of(memory.wiring, file_id)
    assert (texts(found), found.total, found.name) == (["final", "end"], 2, "final.pdf")


async def test_a_place_twice_in_one_call_is_kept_once(memory: Memory) -> None:
    chunks = [*pieces("one"), *pieces("other")]
    file_id = await indexed(memory.wiring, chunks=chunks)
    assert texts(await chunks_of(memory.wiring, file_id)) == ["other"]


async def test_texts_with_nul_and_nothing_are_kept(memory: Memory) -> None:
    file_id = await indexed(memory.wiring, "a\0b", "", " \n", name="n\0l")
    found = await chunks_of(memory.wiring, file_id)
    assert texts(found) == ["a\ufffdb", "", " \n"]
    assert found.name == "n\ufffdl"


async def test_more_text_than_an_answer_holds_comes_without(memory: Memory) -> None:
    file_id = new_id("file")
    for first in range(0, 150, 50):
        chunks = pieces(*("x" * MOST_CHARACTERS for _ in range(50)), first=first)
        await indexed(memory.wiring, file_id=file_id, chunks=chunks)
    found = texts(await chunks_of(memory.wiring, file_id, limit=200))
    assert len(found) == 150
    assert sum(map(bool, found)) == 1024 * 1024 // MOST_CHARACTERS


@pytest.mark.parametrize(
    ("chunk", "field"),
    [
        (TextChunk(index=-1, text="x"), "chunks[0].index"),
        (TextChunk(index=MOST_CHUNKS, text="x"), "chunks[0].index"),
        (TextChunk(index=0, text="x" * (MOST_CHARACTERS + 1)), "chunks[0].text"),
    ],
)
async def test_pieces_beyond_the_limits_are_refused(
    memory: Memory, chunk: TextChunk, field: str
) -> None:
    envelope = await refusal(indexed(memory.wiring, chunks=[chunk]))
    assert envelope.reason == Reason.REASON_FIELD_INVALID
    assert [each.field for each in envelope.violations] == [field]


async def test_too_much_at_once_is_refused(memory: Memory) -> None:
    chunks = pieces(*("x" * MOST_CHARACTERS for _ in range(126)))
    envelope = await refusal(indexed(memory.wiring, chunks=chunks))
    assert "send fewer at once" in envelope.violations[0].description


async def test_nobody_else_reads_or_writes_a_file(memory: Memory) -> None:
    file_id = await indexed(memory.wiring, "secret")
    tenant_id = memory.somebody.tenant_id
    for stranger in (memory.as_somebody(tenant_id=tenant_id), memory.as_somebody()):
        with stranger.somebody.acts(stranger.wiring):
            conversation = stranger.conversation_id
            found = await chunks_of(memory.wiring, file_id)
            assert (texts(found), found.name, found.total) == ([], "", 0)
            # Sharing what is not theirs lets them read nothing.
            await shared(memory.wiring, conversation, file_id)
            through = await chunks_of(memory.wiring, file_id, conversation_id=conversation)
            assert texts(through) == []
            assert await dropped(memory.wiring, file_id) == 0
    with memory.as_somebody(tenant_id=tenant_id).somebody.acts(memory.wiring):
        envelope = await refusal(indexed(memory.wiring, "mine", file_id=file_id))
        assert envelope.reason == Reason.REASON_FILE_NOT_FOUND
    assert texts(await chunks_of(memory.wiring, file_id)) == ["secret"]


async def test_another_tenant_may_use_the_same_id(memory: Memory) -> None:
    file_id = await indexed(memory.wiring, "ours")
    with memory.as_somebody().somebody.acts(memory.wiring):
        await indexed(memory.wiring, "theirs", file_id=file_id)
        assert texts(await chunks_of(memory.wiring, file_id)) == ["theirs"]
        assert await dropped(memory.wiring, file_id) == 1
    assert texts(await chunks_of(memory.wiring, file_id)) == ["ours"]


async def test_a_file_is_read_through_the_conversation_in_which_it_is_used(memory: Memory) -> None:
    file_id = await indexed(memory.wiring, "minutes", conversation_id=memory.conversation_id)
    other = memory.as_somebody(tenant_id=memory.somebody.tenant_id)
    with other.somebody.acts(memory.wiring):
        through = {"conversation_id": memory.conversation_id}
        assert texts(await chunks_of(memory.wiring, file_id, **through)) == ["minutes"]
        elsewhere = {"conversation_id": other.conversation_id}
        assert texts(await chunks_of(memory.wiring, file_id, **elsewhere)) == []


async def test_a_file_may_be_shared_before_its_text_is_there(memory: Memory) -> None:
    file_id = new_id("file")
    await shared(memory.wiring, memory.conversation_id, file_id)
    await indexed(memory.wiring, "late", file_id=file_id)
    with memory.as_somebody(tenant_id=memory.somebody.tenant_id).somebody.acts(memory.wiring):
        found = await chunks_of(memory.wiring, file_id, conversation_id=memory.conversation_id)
        assert texts(found) == ["late"]


async def test_files_travel_with_their_message(memory: Memory) -> None:
    """On every way of reading; and participants read them from then on."""
    file_id = await indexed(memory.wiring, "attached")
    ids = [file_id, new_id("file")]
    begun = (await memory.begin("look", file_ids=ids)).led_turn
    assert list(begun.message.file_ids) == ids
    assert list((await memory.by_id(begun.message.id))[0].file_ids) == ids
    assert list((await memory.messages()).messages[0].file_ids) == ids
    assert list((await memory.recent())[0].file_ids) == ids
    with memory.as_somebody(tenant_id=memory.somebody.tenant_id).somebody.acts(memory.wiring):
        found = await chunks_of(memory.wiring, file_id, conversation_id=memory.conversation_id)
        assert texts(found) == ["attached"]


async def test_a_repeated_request_with_other_files_is_another_one(memory: Memory) -> None:
    first = await memory.begin("look", request_id="req_1", file_ids=[new_id("file")])
    envelope = await refusal(memory.begin("look", request_id="req_1", file_ids=[new_id("file")]))
    assert envelope.reason == Reason.REASON_REQUEST_ID_REUSED
    assert first.led_turn.message.file_ids


async def test_pieces_get_vectors(memory: Memory) -> None:
    file_id = await indexed(memory.wiring, "whales", "", "ships")
    found = await until(lambda: vectors(memory))
    assert sorted(found) == [f"{file_id}:000000", f"{file_id}:000002"]
    assert {row["file_id"] for row in found.values()} == {file_id}


async def test_a_dropped_file_is_gone_from_every_store(memory: Memory) -> None:
    file_id = await indexed(memory.wiring, "whales", "ships")
    kept = await indexed(memory.wiring, "kept")
    await shared(memory.wiring, memory.conversation_id, file_id)

    async def all_there() -> bool:
        return len(await vectors(memory)) == 3

    await until(all_there)
    assert await dropped(memory.wiring, file_id) == 2
    assert texts(await chunks_of(memory.wiring, file_id)) == []
    assert sorted(await vectors(memory)) == [f"{kept}:000000"]
    connection = await memory.connect(memory.somebody.tenant_id)
    for table in ("file_chunks", "file_uses"):
        left = f"SELECT count(*) FROM {table} WHERE file_id = $1"
        assert await connection.fetchval(left, file_id) == 0
    tomb = await connection.fetchrow("SELECT * FROM file_texts WHERE id = $1", file_id)
    assert tomb is not None
    assert (tomb["name"], tomb["pieces"]) == ("", 0)
    await connection.close()


async def test_dropping_again_changes_nothing(memory: Memory) -> None:
    file_id = await indexed(memory.wiring, "whales")
    assert [await dropped(memory.wiring, file_id) for _ in range(2)] == [1, 0]


async def test_what_arrives_after_a_file_was_dropped_is_refused(memory: Memory) -> None:
    file_id = new_id("file")
    await dropped(memory.wiring, file_id)
    envelope = await refusal(indexed(memory.wiring, "late", file_id=file_id))
    assert envelope.reason == Reason.REASON_FILE_NOT_FOUND


async def test_dropping_while_it_is_indexed_leaves_nothing(memory: Memory) -> None:
    file_id = await indexed(memory.wiring, "first")
    calls = [
        indexed(memory.wiring, file_id=file_id, chunks=pieces("more", first=n)) for n in range(8)
    ]
    await asyncio.gather(*calls, dropped(memory.wiring, file_id), return_exceptions=True)
    assert (await chunks_of(memory.wiring, file_id)).total == 0

    async def none_left() -> bool:
        connection = await memory.connect(memory.somebody.tenant_id)
        jobs = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'files'"
        left = await connection.fetchval(jobs)
        await connection.close()
        return not left and not await vectors(memory)

    await until(none_left)


async def test_a_policy_guards_every_method(memory: Memory) -> None:
    """Without a user's role there is nothing."""
    nobody = memory.as_somebody(roles=frozenset())
    with nobody.somebody.acts(nobody.wiring):
        envelope = await refusal(chunks_of(nobody.wiring, new_id("file")))
        assert envelope.reason == Reason.REASON_ROLE_MISSING


async def test_a_small_file_does_not_wait_for_the_end_of_a_large_one(memory: Memory) -> None:
    """And neither is more text than a call has time for."""
    memory.embedder.failure = Unavailable(Reason.REASON_SERVER_UNAVAILABLE, "away")
    calls = len(memory.embedder.batches)
    large = [f"page {number}" for number in range(4 * JOB_PIECES)]
    await indexed(memory.wiring, *large, name="large.pdf")
    await indexed(memory.wiring, "a word", name="small.txt")
    memory.embedder.failure = None

    order, small, last = memory.embedder.texts, "a word\nsmall.txt", f"{large[-1]}\nlarge.pdf"

    async def done() -> bool:
        return small in order and last in order

    await until(done, 60)
    assert order.index(small) < order.index(last)
    assert max(memory.embedder.batches[calls:]) <= MOST_TEXTS
