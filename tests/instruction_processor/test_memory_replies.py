"""What commands about memory and search answer: pure, and no text of a user becomes Markdown."""

import re

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    GetTurnManifestResponse,
    RememberResponse,
)
from kari.conversation_models.v1.context_pb2 import (
    ContextCandidate,
    ContextManifest,
    ContextSource,
    ContextVerdict,
)
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.memory_pb2 import (
    ForgetReceipt,
    Memory,
    RememberOutcome,
    StoreErasure,
)
from kari.conversation_models.v1.search_pb2 import Highlight, SearchResult
from kari.conversation_search.v1.conversation_search_pb2 import SearchResponse
from servers.instruction_processor import memory_replies, reason_replies, search_replies
from servers.instruction_processor.replies import escaped

EVIL = "x`](javascript:alert(1)) **bold**\n# heading"


def test_texts_are_code_whatever_is_in_them() -> None:
    """On one line, between marks that do not stand in them."""
    memory = Memory(id="mem_1", content=EVIL)
    text = memory_replies.listed([memory], more=False)
    assert "``x`](javascript:alert(1)) **bold** # heading``" in text.splitlines()[0]


def test_the_gate_says_what_it_decided() -> None:
    for name in ("DUPLICATE", "REPLACED", "TRIVIAL", "REPEATS_ASSISTANT", "STORED"):
        outcome = RememberOutcome.Value(f"REMEMBER_OUTCOME_{name}")
        old = Memory(content="tea")
        text = memory_replies.remembered(
            RememberResponse(memory=Memory(content="coffee"), outcome=outcome, replaced=old)
        )
        assert ("`coffee`" in text) == ("Not remembered" not in text)
        assert ("`tea`" in text) == (name == "REPLACED")


def test_a_receipt_says_what_each_store_did() -> None:
    """A store that is away forgets later."""
    receipt = ForgetReceipt(
        id="rcpt_1",
        memory_ids=["mem_1", "mem_2"],
        erasures=[
            StoreErasure(store="postgres", erased=2, done=True),
            StoreErasure(store="milvus", done=False),
        ],
    )
    text = memory_replies.forgotten([receipt])
    assert "2 memories are forgotten" in text
    assert "`rcpt_1`: postgres 2, milvus as soon as it is back" in text
    assert "nothing to forget" in memory_replies.forgotten([])


def test_what_is_found_is_escaped_and_its_words_are_bold() -> None:
    """On one line, with the title of another conversation, or its id if it has none."""
    hash_ = EVIL.index("#")
    evil = SearchResult(
        content=EVIL,
        author="*eve*",
        conversation_id="conv_1",
        highlights=[Highlight(start=5, end=15), Highlight(start=hash_, end=hash_ + 1)],
    )
    titles = {"conv_1": "<b>", "conv_2": ""}
    here, there = SearchResult(content="here"), SearchResult(content="x", conversation_id="conv_2")
    text = search_replies.found(SearchResponse(results=[evil, here, there]), titles)
    first, second, third = text.splitlines()
    escaped = r"x\`\](j**avascript:**alert(1)) \*\*bold\*\* **#** heading"
    assert first == rf"- 1970-01-01 00:00, \*eve\* in *\<b\>*: {escaped}"
    assert second == "- 1970-01-01 00:00, unspecified: here"
    assert third.endswith("unspecified in `conv_2`: x")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_escaped_text_is_what_it_was(text: str) -> None:
    """To a Markdown renderer: no mark of it means anything, and white space is one space."""
    rendered = MarkdownIt().renderInline(f"x{escaped(text)}x")
    plain = re.sub(r"\s+", " ", text)
    assert rendered == f"x{escapeHtml(plain)}x"


def test_a_long_message_is_shown_around_the_first_word() -> None:
    result = SearchResult(
        content="a" * 500 + " wombat " + "b" * 500, highlights=[Highlight(start=501, end=507)]
    )
    line = search_replies.found(SearchResponse(results=[result]), {}).splitlines()[0]
    assert "wombat" in line
    assert len(line) < 300
    assert line.count("\u2026") == 2


def test_nothing_found_and_words_alone_are_said() -> None:
    missing = Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="milvus")
    text = search_replies.found(SearchResponse(degradations=[missing]), {})
    assert text.splitlines()[0] == "Nothing was found."
    assert "words alone" in text


def test_an_explanation_counts_and_names() -> None:
    """What was in the prompt, what was left out and why, what was missing."""

    def candidate(source: str, verdict: str, score: float, id_: str) -> ContextCandidate:
        return ContextCandidate(
            source=ContextSource.Value(f"CONTEXT_SOURCE_{source}"),
            verdict=ContextVerdict.Value(f"CONTEXT_VERDICT_{verdict}"),
            score=score,
            message_id=id_,
        )

    manifest = ContextManifest(
        tokens=90,
        budget_tokens=100,
        pins_left_out=2,
        candidates=[
            candidate("SYSTEM", "KEPT", 0, ""),
            candidate("PAST_THREAD", "KEPT", 1.5, "msg_1"),
            candidate("RECENT", "CUT_BUDGET", 0.5, "msg_2"),
            candidate("RECENT", "CUT_BUDGET", 0.4, "msg_3"),
        ],
    )
    found = GetTurnManifestResponse(manifest=manifest)
    found.turn.id = "turn_1"
    found.turn.degradations.add(feature=Feature.FEATURE_VAULT, cause="milvus")
    text = reason_replies.explained(found)
    assert "90 of 100 tokens" in text
    assert "1 system, 1 past thread" in text
    assert "past thread `msg_1`, score 1.50" in text
    assert "2 budget" in text
    assert "did not fit**: 2" in text
    assert "vault (milvus)" in text
    assert "before its context" in reason_replies.explained(GetTurnManifestResponse())
