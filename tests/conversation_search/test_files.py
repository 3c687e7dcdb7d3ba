"""Pieces of files are found beside messages, by words and by meaning, by whoever may find them."""

from datetime import timedelta

import pytest

from kari.conversation_manager.v1.conversation_manager_pb2 import UpdateConversationRequest
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from kari.conversation_models.v1.conversation_pb2 import ConversationChange
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import FileResult, SearchWay
from servers.runtime.ids import new_id
from tests.conversation_search.library import FIRST, Library, moment
from tests.hosting import until
from tests.production_memory.filed import dropped, indexed, pieces, shared
from tests.production_memory.vectors import vectors_of

WORDS, VECTORS = SearchWay.SEARCH_WAY_FULL_TEXT, SearchWay.SEARCH_WAY_VECTORS
LEASE = (
    "The tenant pays the rent on the first day of each month.",
    "Either party may end this lease with three months' notice.",
    "Dogs and cats are allowed; snakes are not.",
)


async def vectors(library: Library, count: int) -> None:
    """Returns when the tenant has so many vectors of pieces."""

    async def enough() -> bool:
        settings, tenant_id = library.wiring.settings, library.somebody.tenant_id
        return len(await vectors_of(settings, tenant_id, "file_chunks")) >= count

    await until(enough)


async def files(library: Library, query: str, **fields: object) -> list[FileResult]:
    return list((await library.search(query, **fields)).files)


async def invite(library: Library, conversation_id: str, friend: Library) -> None:
    stub = library.wiring.stub("chat_hub", "conversation_manager", ConversationManagerServiceStub)
    await stub.UpdateConversation(
        UpdateConversationRequest(
            conversation_id=conversation_id,
            request_id=new_id("req"),
            changes=[ConversationChange(add_participant_id=friend.somebody.user_id)],
        )
    )


def places(found: list[FileResult]) -> list[int]:
    return [each.chunk.index for each in found]


async def test_a_piece_is_found_by_its_words_with_its_page(library: Library) -> None:
    file_id = await indexed(library.wiring, *LEASE, name="lease.pdf")
    (found,) = await files(library, "snakes allowed", way=WORDS)
    assert (found.file_id, found.name, found.conversation_id) == (file_id, "lease.pdf", "")
    assert (found.chunk.index, found.chunk.text, found.chunk.anchor.page) == (2, LEASE[2], 3)
    assert [found.chunk.text[h.start : h.end] for h in found.highlights] == ["allowed", "snakes"]
    assert (found.score, found.similarity) == (0.5, 0.0)


async def test_a_piece_is_found_by_its_meaning(library: Library) -> None:
    """Without a word of it, and by somebody who has no conversation at all."""
    await indexed(library.wiring, *LEASE)
    await vectors(library, 3)
    for way in (VECTORS, SearchWay.SEARCH_WAY_UNSPECIFIED):
        found = await files(library, "can I have a pet?", way=way)
        assert places(found)[0] == 2
        assert 0.2 < found[0].similarity <= 1
        assert 0 < found[0].score <= 1


async def test_words_and_meaning_count_together(library: Library) -> None:
    await indexed(library.wiring, *LEASE)
    await vectors(library, 3)
    assert places(await files(library, "how many months' notice?"))[0] == 1


async def test_messages_are_found_as_if_there_were_no_files(library: Library) -> None:
    conversation = await library.conversation()
    await library.said(conversation, "Ada: Is a snake allowed?", "Kari: Read the lease.")
    await library.indexed(2)
    before = (await library.search("snake lease")).results
    await indexed(library.wiring, *LEASE)
    await vectors(library, 3)
    found = await library.search("snake lease")
    assert found.results == before
    assert found.files


async def test_only_who_may_find_a_file_does(library: Library) -> None:
    """Neither others of the tenant nor those of another one, whatever they ask for."""
    conversation = await library.conversation()
    file_id = await indexed(library.wiring, *LEASE, conversation_id=conversation)
    await vectors(library, 3)
    for stranger in (
        library.as_somebody(tenant_id=library.somebody.tenant_id),
        library.as_somebody(),
    ):
        with stranger.somebody.acts(stranger.wiring):
            own = await stranger.conversation()
            await shared(stranger.wiring, own, file_id)
            await indexed(stranger.wiring, "nothing of that")
            for way in (WORDS, VECTORS):
                assert not any(e.file_id == file_id for e in await files(stranger, "pets", way=way))
            assert not await files(stranger, "snakes", file_ids=[file_id])
            assert not await files(stranger, "snakes", conversation_id=own)


async def test_participants_find_files_of_their_conversation(library: Library) -> None:
    """And no others of the same user; and no longer once it is dropped."""
    conversation = await library.conversation()
    file_id = await indexed(library.wiring, *LEASE, name="lease.pdf")
    await indexed(library.wiring, "snakes in a diary", name="diary.txt")
    await shared(library.wiring, conversation, file_id)
    friend = library.as_somebody(tenant_id=library.somebody.tenant_id)
    await invite(library, conversation, friend)
    with friend.somebody.acts(friend.wiring):
        (found,) = await files(friend, "snakes", way=WORDS)
        assert (found.file_id, found.conversation_id) == (file_id, conversation)
        assert await files(friend, "snakes", way=WORDS, conversation_id=conversation)
        assert await files(friend, "snakes", way=WORDS, file_ids=[file_id])
    assert await dropped(library.wiring, file_id) == 3
    with friend.somebody.acts(friend.wiring):
        assert not await files(friend, "snakes")


async def test_certain_files_are_searched_alone(library: Library) -> None:
    conversation = await library.conversation()
    await library.said(conversation, "Ada: snakes", "Kari: snakes")
    lease = await indexed(library.wiring, *LEASE)
    await indexed(library.wiring, "snakes elsewhere")
    found = await library.search("snakes", way=WORDS, file_ids=[lease, new_id("file")])
    assert not found.results
    assert [(each.file_id, each.chunk.index) for each in found.files] == [(lease, 2)]


async def test_a_conversation_limits_files_as_well(library: Library) -> None:
    one, other = await library.conversation(), await library.conversation()
    await indexed(library.wiring, *LEASE, conversation_id=one)
    assert await files(library, "snakes", way=WORDS, conversation_id=one)
    assert not await files(library, "snakes", way=WORDS, conversation_id=other)


async def test_the_conversation_that_is_known_is_named(library: Library) -> None:
    """Of several in which a file is used."""
    one, other = await library.conversation(), await library.conversation()
    file_id = await indexed(library.wiring, *LEASE)
    await shared(library.wiring, one, file_id)
    await shared(library.wiring, other, file_id)
    for known in (one, other):
        (found,) = await files(library, "snakes", way=WORDS, known_conversation_id=known)
        assert found.conversation_id == known


async def test_a_file_that_is_named_comes_first(library: Library) -> None:
    """Its beginning fits even if it has none of the words."""
    named = await indexed(library.wiring, "Introduction", "More", name="Annual_Report-2024.pdf")
    await indexed(library.wiring, "What is new: the summary of the annual report", name="b.pdf")
    for query in (
        "what is new in Annual_Report-2024.pdf?",
        "what is new in the annual report 2024?",
    ):
        found = await files(library, query, way=WORDS)
        assert [each.file_id for each in found[:2]] == [named, named]
        assert places(found)[:2] == [0, 1]
        assert all(0 <= each.score <= 1 for each in found)


async def test_filters_hold_for_files(library: Library) -> None:
    await indexed(library.wiring, *LEASE)
    query = {"query": "snakes", "way": WORDS}
    assert await files(library, **query, since=moment(FIRST))
    assert not await files(library, **query, until=moment(FIRST + timedelta(days=1)))
    assert not await files(library, **query, roles=[MessageRole.MESSAGE_ROLE_USER])
    assert not await files(library, **query, user_id=library.somebody.user_id)


async def test_phrases_and_exclusions_hold_for_files(library: Library) -> None:
    await indexed(library.wiring, *LEASE)
    assert places(await files(library, '"three months"', way=WORDS)) == [1]
    assert not await files(library, '"months three"', way=WORDS)
    assert not await files(library, "snakes -dogs", way=WORDS)


async def test_ten_are_on_the_first_page_only(library: Library) -> None:
    conversation = await library.conversation()
    await library.said(conversation, *(f"Ada: snake {n}" for n in range(4)))
    file_id = await indexed(library.wiring, *(f"snake number {n}" for n in range(30)))
    page = await library.search("snakes", way=WORDS, page_size=2)
    assert places(list(page.files)) == list(range(10))
    again = await library.search("snakes", way=WORDS, page_size=2, page_token=page.next_page_token)
    assert again.results
    assert not again.files
    assert len(await files(library, "snakes", way=WORDS, file_ids=[file_id])) == 20
    assert len(await files(library, "snakes", way=WORDS, file_ids=[file_id], page_size=60)) == 30


async def test_marks_of_highlights_in_a_text_do_no_harm(library: Library) -> None:
    await indexed(library.wiring, "<b>\x02snakes\x03</b> & <i>snakes</i>")
    (found,) = await files(library, "snakes", way=WORDS)
    assert found.chunk.text == "<b>snakes</b> & <i>snakes</i>"
    assert [found.chunk.text[h.start : h.end] for h in found.highlights] == ["snakes"] * 2


@pytest.mark.parametrize("query", ["", "   ", "?!"])
async def test_nothing_is_found_for_nothing(library: Library, query: str) -> None:
    await indexed(library.wiring, *LEASE)
    assert not await files(library, query)


async def test_the_same_query_gives_the_same_order(library: Library) -> None:
    for _ in range(3):
        await indexed(library.wiring, chunks=pieces("snakes", "snakes", "snakes"))
    first = await files(library, "snakes", way=WORDS)
    assert await files(library, "snakes", way=WORDS) == first
    assert places(first) == [0, 1, 2] * 3
    assert [e.file_id for e in first] == sorted((e.file_id for e in first), reverse=True)
