"""What is found, in which order, and by whom."""

from datetime import datetime, timedelta

import grpc
import pytest

from kari.conversation_models.v1.search_pb2 import SearchWay
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import envelope_of
from tests.conversation_search.library import ASSISTANT, FIRST, USER, Library, marked, moment

WORDS, VECTORS = SearchWay.SEARCH_WAY_FULL_TEXT, SearchWay.SEARCH_WAY_VECTORS


async def talked(library: Library) -> str:
    """A conversation with a little of everything."""
    conversation = await library.conversation()
    await library.said(
        conversation,
        "Ada: Good morning! How was your weekend?",
        "Ben: We went hiking in the mountains and saw a bear.",
        "Ada: Wow! What did you do then?",
        "Ben: Ran. Later I painted the whole scene in watercolour.",
        "Kari: Bears are rarely aggressive towards groups.",
        "Ada: I have started to learn the cello, my teacher is from Vienna.",
        "Ben: The car broke down, the repair cost 900 dollars.",
    )
    return conversation


async def test_what_the_caller_has_already_is_not_found(library: Library) -> None:
    """The end of a conversation; its beginning and others are."""
    one, other = await library.conversation(), await library.conversation()
    await library.said(one, "Ada: apples early", "Ada: apples late", "Ada: apples last")
    await library.said(other, "Ada: apples elsewhere")
    known = {"known_conversation_id": one, "known_from_sequence": 2}
    found = await library.texts("apples", **known)
    assert sorted(found) == ["apples early", "apples elsewhere"]
    only = await library.texts("apples", conversation_id=one, **known)
    assert only == ["apples early"]
    everything = {"known_conversation_id": one, "known_from_sequence": 1}
    assert await library.texts("apples", conversation_id=one, **everything) == []


async def test_words_are_found_whatever_their_ending(library: Library) -> None:
    await talked(library)
    found = await library.search("paintings", way=WORDS)
    assert found.results[0].content.startswith("Ran. Later I painted")
    assert marked(found.results[0]) == ["painted"]


async def test_meaning_is_found_without_a_word_in_common(library: Library) -> None:
    await talked(library)
    await library.indexed(7)
    by_meaning = await library.texts("musical instrument", way=VECTORS)
    assert any(text.startswith("I have started to learn the cello") for text in by_meaning[:2])
    assert (await library.texts("expenses for a vehicle"))[0].startswith("The car broke down")


async def test_a_short_answer_is_found_by_the_words_of_its_question(library: Library) -> None:
    conversation = await library.conversation()
    await library.said(
        conversation,
        "Ada: Which city do you like best?",
        "Ben: Lisbon.",
        "Ada: I had soup for lunch.",
        "Ben: Soup is fine.",
    )
    assert "Lisbon." in (await library.texts("best city", way=WORDS))[:2]


async def test_what_the_named_person_said_comes_first(library: Library) -> None:
    conversation = await library.conversation()
    await library.said(
        conversation,
        "Ada: Ben, I went running in the park today.",
        "Ben: Nice! I went running at the beach.",
    )
    first = (await library.search("Where did Ben go running?", way=WORDS)).results[0]
    assert first.author == "Ben"


async def test_a_day_finds_what_was_said_on_it(library: Library) -> None:
    conversation = await library.conversation()
    for day in range(3):
        await library.said(
            conversation, f"Ada: We had a picnic, number {day}.", first=FIRST + timedelta(days=day)
        )
    assert (await library.texts("picnic on 9 May 2023", way=WORDS))[0].endswith("number 1.")


async def test_phrases_have_to_stand_there_and_excluded_words_must_not(library: Library) -> None:
    conversation = await library.conversation()
    await library.said(
        conversation,
        "Ada: The red house by the lake is sold.",
        "Ben: The house is red, and far from any lake.",
        "Ada: A red house burned down.",
    )
    assert set(await library.texts('"red house"', way=WORDS)) == {
        "The red house by the lake is sold.",
        "A red house burned down.",
    }
    assert await library.texts('"red house" -lake') == ["A red house burned down."]


@pytest.mark.parametrize("query", ['hamlet "to be"', "hamlet -the", 'hamlet -"and the"'])
async def test_phrases_of_stop_words_alone_have_not_to_stand_there(
    library: Library, query: str
) -> None:
    """No text has them, as far as words are looked at."""
    conversation = await library.conversation()
    await library.said(conversation, "Ada: Hamlet asks whether to be or not to be.")
    assert len(await library.texts(query)) == 1


@pytest.mark.parametrize(
    "query", ["", "   ", '"', "-", '""', "- - -", "\u3000", "?!", '"?" -', "'", "&|!():*<->"]
)
async def test_a_query_without_words_finds_nothing(library: Library, query: str) -> None:
    """And breaks nothing."""
    await talked(library)
    assert await library.texts(query) == []


@pytest.mark.parametrize(
    "query",
    ["what is it that you had to do", "it's \\ a 'quo & | ! (", "bär ドラゴン медведь", "a" * 2000],
)
async def test_stop_words_operators_and_other_scripts_break_nothing(
    library: Library, query: str
) -> None:
    await talked(library)
    assert await library.texts(query, way=WORDS) == []
    await library.search(query)


async def test_other_scripts_are_found_by_their_words(library: Library) -> None:
    conversation = await library.conversation()
    await library.said(conversation, "Ada: Вчера я видела медведя.", "Ben: Und ich einen Bären.")
    assert (await library.texts("медведя", way=WORDS))[0] == "Вчера я видела медведя."
    assert (await library.texts("Bären", way=WORDS))[0] == "Und ich einen Bären."


async def test_filters_by_time_role_and_sender(library: Library) -> None:
    conversation = await library.conversation()
    await library.said(conversation, "Ada: apples", "Kari: apples too", "Ada: more apples")
    later: datetime = FIRST + timedelta(minutes=1)
    assert set(await library.texts("apples", way=WORDS, since=moment(later))) == {
        "apples too",
        "more apples",
    }
    assert await library.texts("apples", way=WORDS, until=moment(later)) == ["apples"]
    assert await library.texts("apples", way=WORDS, roles=[ASSISTANT]) == ["apples too"]
    assert len(await library.texts("apples", way=WORDS, roles=[USER])) == 2
    mine = library.somebody.user_id
    assert len(await library.texts("apples", way=WORDS, user_id=mine)) == 2
    nobody = "user_" + "0" * 32
    assert await library.texts("apples", user_id=nobody) == []


async def test_one_conversation_can_be_looked_at_alone(library: Library) -> None:
    first, second = await library.conversation(), await library.conversation()
    await library.said(first, "Ada: apples here")
    await library.said(second, "Ada: apples there")
    assert len(await library.texts("apples", way=WORDS)) == 2
    assert await library.texts("apples", conversation_id=second) == ["apples there"]


async def test_what_others_said_elsewhere_is_nobody_s_business(library: Library) -> None:
    """Neither by words nor by meaning, in the same tenant or in another, named or not."""
    conversation = await talked(library)
    await library.indexed(7)
    for tenant in ({"tenant_id": library.somebody.tenant_id}, {}):
        other = library.as_somebody(**tenant)
        with other.somebody.acts(other.wiring):
            assert await other.texts("hiking bear") == []
            assert await other.texts("musical instrument", way=VECTORS) == []
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await other.search("bear", conversation_id=conversation)
            reason = envelope_of(refused.value).reason
            assert reason == Reason.REASON_CONVERSATION_NOT_FOUND


async def test_pages_go_through_everything_once(library: Library) -> None:
    conversation = await library.conversation()
    await library.said(conversation, *(f"Ada: apples number {n}" for n in range(45)))
    found, token = list[str](), ""
    while True:
        page = await library.search("apples", way=WORDS, page_size=20, page_token=token)
        found += [result.message_id for result in page.results]
        token = page.next_page_token
        if not token:
            break
    assert len(found) == len(set(found)) == 45


async def test_the_same_search_gives_the_same_bytes(library: Library) -> None:
    await talked(library)
    await library.indexed(7)
    first = await library.search("What happened to the bear and the car?")
    assert (
        first.SerializeToString()
        == (await library.search("What happened to the bear and the car?")).SerializeToString()
    )


async def test_of_a_long_text_the_part_that_fits_is_shown(library: Library) -> None:
    conversation = await library.conversation()
    filler = "nothing of interest happened that day " * 60
    await library.said(conversation, f"Ada: {filler} then the zeppelin landed {filler}")
    (result,) = (await library.search("zeppelin", way=WORDS)).results
    assert len(result.content) < 900
    assert marked(result) == ["zeppelin"]


async def test_texts_are_shown_as_they_are(library: Library) -> None:
    """Markup, marks of ours and characters outside the BMP neither vanish nor shift highlights."""
    conversation = await library.conversation()
    await library.said(conversation, "Ada: 🐻 <b>bears</b> & \x02bears\x03 \U0001f43b end")
    (result,) = (await library.search("bears", way=WORDS)).results
    assert result.content == "🐻 <b>bears</b> & bears \U0001f43b end"
    assert marked(result) == ["bears", "bears"]


async def test_of_a_long_text_with_tags_the_part_that_fits_is_shown(library: Library) -> None:
    """Marked, and with its tags."""
    filler = "<li>Nothing happened that day.</li>\r\n" * 60
    said = f"{filler}<p class='x'>a bear came & left</p>\r\n{filler}"
    await library.said(await library.conversation(), f"Ada: {said}")
    (result,) = (await library.search("bear", way=WORDS)).results
    assert "<p class='x'>a bear came & left</p>" in result.content
    assert said[result.start :].startswith(result.content)
    assert marked(result) == ["bear"]


async def test_a_message_of_100_kb_is_taken_in_and_found(library: Library) -> None:
    conversation = await library.conversation()
    text = " ".join(f"w{n}" for n in range(16_000))[:99_000]
    await library.said(conversation, f"Ada: {text} needle")
    assert len(await library.texts("needle", way=WORDS)) == 1


@pytest.mark.parametrize(
    "text",
    ["界" * 99_900, "\U0001f43b" * 99_900, "\U00020000 " * 49_900, "ـ" * 99_900, "\u0301" * 99_900],
    ids=["one word", "emoji", "four bytes a word", "joining", "accents on nothing"],
)
async def test_a_long_text_of_any_script_is_taken_in_and_harms_no_other(
    library: Library, text: str
) -> None:
    """Also where the whole of it is one word that no index takes."""
    conversation = await library.conversation()
    await library.said(conversation, f"Ada: {text}", "Ben: a needle in a haystack")
    await library.indexed(2)
    assert "a needle in a haystack" in await library.texts("needle")


async def test_an_import_that_is_repeated_adds_nothing(library: Library) -> None:
    conversation = await library.conversation()
    first = await library.imported(conversation, ["Ada: apples"], FIRST, "once")
    again = await library.imported(conversation, ["Ada: apples"], FIRST, "once")
    assert (first.repeated_request, again.repeated_request) == (False, True)
    assert list(first.message_ids) == list(again.message_ids)
    assert await library.texts("apples", way=WORDS) == ["apples"]
