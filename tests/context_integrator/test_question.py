"""What is looked for on behalf of a message: pure, so no event loop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.context_integrator.question import query_of
from servers.conversation_search.wish import wished


@pytest.mark.parametrize(
    "content",
    ["How old am I?", "Who am I", "\u6211\u4f4f\u54ea", "\u042f \u0433\u0434\u0435?", "tea or not"],
)
def test_short_words_ask_as_well(content: str) -> None:
    """In any script."""
    assert query_of(content) == content


@pytest.mark.parametrize("content", ["", "ok", "yes!", ":-) ok?", "\U0001f600" * 9, "- - - --"])
def test_too_few_words_ask_for_nothing(content: str) -> None:
    """There is nothing that they are about."""
    assert query_of(content) == ""


@given(st.lists(st.sampled_from(['"', "-", "--", " ", "word", "\n", "\u3000"])).map("".join))
def test_nothing_in_a_message_is_an_operator(content: str) -> None:
    """Whatever stands beside whatever: nothing has to hold, nothing is excluded."""
    assert wished(query_of(content)).filter == ""
