"""Summaries are found beside messages, by words and by meaning, and change nothing about these."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import SearchWay
from kari.conversation_models.v1.summary_pb2 import (
    ConversationSummary,
    MessageRange,
    ParticipantIntent,
    SummaryKind,
)
from kari.production_memory.v1.production_memory_pb2 import WriteSummaryRequest
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from tests.conversation_search.library import FIRST, Library, moment

WORDS, VECTORS = SearchWay.SEARCH_WAY_FULL_TEXT, SearchWay.SEARCH_WAY_VECTORS
LINES = ("Ada: I went to the sea.", "Ben: What did you see there?", "Ada: A whale, and its calf.")


async def summarized(
    library: Library, conversation: str, ids: Sequence[str], text: str, *topics: str, first: int = 1
) -> ConversationSummary:
    """A summary of these messages, of which the first stands at a place."""
    summary = ConversationSummary(
        conversation_id=conversation,
        kind=SummaryKind.SUMMARY_KIND_ROLLING,
        summary=text,
        key_topics=topics,
        participant_intents=[ParticipantIntent(participant="Ada", intent="to tell of a journey")],
        message_range=MessageRange(
            first_message_id=ids[0],
            last_message_id=ids[-1],
            first_sequence=first,
            last_sequence=first + len(ids) - 1,
        ),
    )
    stub = library.wiring.stub("summarizer", "production_memory", ProductionMemoryServiceStub)
    return (await stub.WriteSummary(WriteSummaryRequest(summary=summary))).summary


async def told(library: Library, text: str = "Ada saw whales at the sea.", *topics: str) -> Any:
    """A conversation and its summary."""
    conversation = await library.conversation()
    ids = await library.said(conversation, *LINES)
    return await summarized(library, conversation, ids, text, *topics)


async def test_a_summary_is_found_by_its_words(library: Library) -> None:
    summary = await told(library)
    found = await library.search("whales", way=WORDS)
    (result,) = found.summaries
    assert result.summary == summary
    assert (result.score, result.similarity) == (1.0, 0.0)


async def test_topics_and_intents_are_words_of_it(library: Library) -> None:
    summary = await told(library, "Ada was away.", "marine mammals")
    for query in ("mammals", "journey"):
        (result,) = (await library.search(query, way=WORDS)).summaries
        assert result.summary.id == summary.id


async def test_a_summary_is_found_by_its_meaning(library: Library) -> None:
    """Without a word of it; messages say how near they are as well."""
    await told(library, "Ada saw whales at the sea.", "whales")
    await library.indexed(4)
    found = await library.search("giant mammals of the ocean")
    (result,) = found.summaries
    assert 0.2 < result.similarity <= 1
    assert all(0 < each.similarity <= 1 for each in found.results)
    assert (await library.search("giant mammals of the ocean", way=VECTORS)).summaries


async def test_messages_are_found_as_if_there_were_no_summaries(library: Library) -> None:
    conversation = await library.conversation()
    ids = await library.said(conversation, *LINES)
    await library.indexed(3)
    before = {q: (await library.search(q)).results for q in ("whale at the sea", "calf", "Ada")}
    await summarized(library, conversation, ids, "whale sea calf Ada", "whale", "sea")
    await library.indexed(4)
    for query, results in before.items():
        found = await library.search(query)
        assert found.results == results
        assert len(found.summaries) == 1
    assert not any(each.message_id.startswith("sum_") for each in found.results)


async def test_only_participants_find_them(library: Library) -> None:
    """Neither others of the tenant nor those of another one."""
    await told(library)
    await library.indexed(4)
    for stranger in (
        library.as_somebody(tenant_id=library.somebody.tenant_id),
        library.as_somebody(),
    ):
        with stranger.somebody.acts(stranger.wiring):
            own = await stranger.conversation()
            await stranger.said(own, "Eve: I look for whales.")
            found = await stranger.search("whales at the sea")
            assert not found.summaries


async def test_filters_hold_for_summaries(library: Library) -> None:
    summary = await told(library)
    other = await library.conversation()
    await library.said(other, "Ada: whales again")
    query = "whales"
    assert not (await library.search(query, conversation_id=other)).summaries
    found = await library.search(query, conversation_id=summary.conversation_id)
    assert [each.summary.id for each in found.summaries] == [summary.id]
    before, within = moment(FIRST - timedelta(days=1)), moment(FIRST + timedelta(minutes=1))
    after = moment(FIRST + timedelta(days=1))
    assert not (await library.search(query, until=before)).summaries
    assert not (await library.search(query, since=after)).summaries
    assert (await library.search(query, since=within)).summaries
    assert (await library.search(query, until=within)).summaries


async def test_whoever_asks_for_a_role_or_a_sender_wants_no_summaries(library: Library) -> None:
    await told(library)
    await library.indexed(4)
    asked = {"roles": [MessageRole.MESSAGE_ROLE_USER]}
    assert not (await library.search("whales at sea", **asked)).summaries
    sender = library.somebody.user_id
    assert not (await library.search("whales at sea", user_id=sender)).summaries


async def test_phrases_and_exclusions_hold_for_summaries(library: Library) -> None:
    await told(library)
    assert (await library.search('"saw whales"', way=WORDS)).summaries
    assert not (await library.search('"whales saw"', way=WORDS)).summaries
    assert not (await library.search("whales -sea", way=WORDS)).summaries


async def test_the_best_five_are_on_the_first_page_only(library: Library) -> None:
    conversation = await library.conversation()
    ids = await library.said(conversation, *(f"Ada: whale {n}" for n in range(21)))
    for n in range(7):
        text = "whales and dolphins" if n == 3 else "whales"
        given = ids[3 * n : 3 * n + 3]
        await summarized(library, conversation, given, text, first=3 * n + 1)
    page = await library.search("whales dolphins", way=WORDS, page_size=5)
    assert len(page.summaries) == 5
    assert page.summaries[0].summary.summary == "whales and dolphins"
    scores = [each.score for each in page.summaries]
    assert scores == sorted(scores, reverse=True)
    token = page.next_page_token
    assert not (await library.search("whales dolphins", way=WORDS, page_token=token)).summaries
