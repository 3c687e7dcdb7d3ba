"""`/search` and `/why` through a real server, between peers that are real servers too."""

from kari.conversation_models.v1.context_pb2 import (
    ContextCandidate,
    ContextManifest,
    ContextSource,
    ContextVerdict,
)
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import Highlight, SearchResult, SummaryResult
from kari.conversation_models.v1.summary_pb2 import ConversationSummary
from kari.conversation_models.v1.turn_pb2 import Turn
from kari.conversation_search.v1.conversation_search_pb2 import SearchResponse
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Unavailable
from servers.runtime.ids import new_id
from tests.instruction_processor.conftest import Desk
from tests.instruction_processor.test_memories import reply
from tests.instruction_processor.test_processing import refusal

EXCLUDED = '"a phrase" -not'


def turn_of(desk: Desk) -> Turn:
    """A turn of the conversation, with an answer and a manifest."""
    turn = Turn(id=new_id("turn"), conversation_id=desk.conversation.id)
    turn.selection.model.id = "acme/plain"
    turn.selection.explanation = "the mode's default"
    desk.conversations.turns[turn.id] = (turn, None)
    candidate = ContextCandidate(
        source=ContextSource.CONTEXT_SOURCE_VAULT,
        verdict=ContextVerdict.CONTEXT_VERDICT_KEPT,
        score=0.8,
        memory_id="mem_1",
    )
    desk.conversations.manifests[turn.id] = ContextManifest(
        tokens=90, budget_tokens=4096, candidates=[candidate]
    )
    answer = desk.conversations.say(desk.conversation.id, MessageRole.MESSAGE_ROLE_ASSISTANT)
    answer.turn_id = turn.id
    return turn


async def test_words_are_looked_for_as_typed_in_all_conversations(desk: Desk) -> None:
    await reply(desk, f"/search {EXCLUDED}")
    await reply(desk, "/search here bears")
    everywhere, here = desk.search.requests
    assert (everywhere.query, everywhere.filter.conversation_id) == (EXCLUDED, "")
    assert (here.query, here.filter.conversation_id) == ("bears", desk.conversation.id)


async def test_what_is_found_says_when_who_where_and_what(desk: Desk) -> None:
    """Elsewhere by title, or by id where there is none; words that were found in bold."""
    titled = desk.conversations.begin(desk.user.user_id, title="The *zoo*")
    nameless = desk.conversations.begin(desk.user.user_id)
    mark = [Highlight(start=2, end=6)]
    said = [
        SearchResult(conversation_id=where, content="a bear sleeps", author="Ada", highlights=mark)
        for where in (desk.conversation.id, titled.id, nameless.id)
    ]
    summary = ConversationSummary(conversation_id=titled.id, summary="Of bears.")
    desk.search.response = SearchResponse(
        results=said, summaries=[SummaryResult(summary=summary)], next_page_token="more"
    )
    text = await reply(desk, "/search bear")
    here, there, elsewhere, of_bears, *rest = text.splitlines()
    assert here == "- 1970-01-01 00:00, Ada: a **bear** sleeps"
    assert there == r"- 1970-01-01 00:00, Ada in *The \*zoo\**: a **bear** sleeps"
    assert elsewhere == f"- 1970-01-01 00:00, Ada in `{nameless.id}`: a **bear** sleeps"
    assert of_bears == r"- summary in *The \*zoo\**: Of bears."
    assert "more" in rest[-1]


async def test_a_search_that_fails_can_be_sent_again(desk: Desk) -> None:
    desk.search.failure = Unavailable(Reason.REASON_STORE_UNAVAILABLE, "the store is away")
    error = await refusal(desk.process("/search bear"))
    assert (error.reason, error.may_retry) == (Reason.REASON_STORE_UNAVAILABLE, True)


async def test_the_last_answer_is_explained_unless_another_is_named(desk: Desk) -> None:
    first, last = turn_of(desk), turn_of(desk)
    desk.conversations.say(desk.conversation.id, MessageRole.MESSAGE_ROLE_USER)
    explained = await reply(desk, "/why")
    assert last.id in explained
    for word in ("`acme/plain`", "the mode's default", "90 of 4096", "vault `mem_1`, score 0.80"):
        assert word in explained
    assert first.id in await reply(desk, f"/why {first.id}")


async def test_why_without_an_answer_says_so(desk: Desk) -> None:
    """As for a turn of somebody else, and for what is no turn."""
    assert (await refusal(desk.process("/why"))).reason == Reason.REASON_TURN_NOT_FOUND
    turn = turn_of(desk)
    with desk.mesh.user():
        refused = await refusal(desk.process(f"/why {turn.id}"))
        assert refused.reason == Reason.REASON_TURN_NOT_FOUND
    assert (await refusal(desk.process("/why me"))).reason == Reason.REASON_FIELD_INVALID
