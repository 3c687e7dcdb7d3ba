"""Cutting prompts to a window. No event loop; a token is a word here."""

from hypothesis import given
from hypothesis import strategies as st

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole as Role
from servers.model_factory.fitting import (
    CALL_OVERHEAD,
    TOOLS_OVERHEAD,
    fit,
    offered,
    size_of,
    size_of_tools,
    surely_fits,
)
from servers.runtime.tokens import MESSAGE_OVERHEAD, PROMPT_OVERHEAD
from tests.model_factory.conftest import says
from tests.model_factory.tools import CALCULATOR, call_of, gave, wants

ROLES = [Role.MESSAGE_ROLE_USER, Role.MESSAGE_ROLE_ASSISTANT, Role.MESSAGE_ROLE_SYSTEM]
MESSAGES = st.lists(
    st.builds(
        PromptMessage,
        role=st.sampled_from(ROLES),
        content=st.integers(0, 40).map(lambda n: " ".join(["word"] * n)),
    ),
    min_size=1,
    max_size=8,
)


def count(text: str) -> int:
    return len(text.split())


def shorten(text: str, tokens: int) -> str:
    return " ".join(text.split()[:tokens])


def size(messages: list[PromptMessage]) -> int:
    return PROMPT_OVERHEAD + sum(size_of(message, count) for message in messages)


@given(MESSAGES, st.integers(60, 400))
def test_what_is_fitted_fits(messages: list[PromptMessage], room: int) -> None:
    found = fit(messages, room, count, shorten)
    assert size(list(found.messages)) <= room
    assert found.cut == (size(messages) > room)


@given(MESSAGES, st.integers(60, 400))
def test_the_last_message_and_the_systems_are_never_dropped(
    messages: list[PromptMessage], room: int
) -> None:
    found = fit(messages, room, count, shorten).messages
    systems = [m for m in messages if m.role == Role.MESSAGE_ROLE_SYSTEM]
    kept = [m for m in found if m.role == Role.MESSAGE_ROLE_SYSTEM]
    assert len(kept) == len(systems)
    assert messages[-1].content.startswith(found[-1].content)


def test_the_oldest_goes_first() -> None:
    messages = says("system", *(f"message {n} " + "word " * 10 for n in range(6)))
    found = fit(messages, size(messages) - 1, count, shorten)
    assert [m.content for m in found.messages] == [m.content for m in (messages[0], *messages[2:])]


def test_a_long_last_message_is_shortened_and_leaves_room_for_the_system() -> None:
    messages = says("word " * 20, "old", "older", "word " * 500)
    found = fit(messages, 100, count, shorten).messages
    assert [count(m.content) for m in found] == [20, 100 - 4 - 12 - 20]


def test_a_prompt_that_fits_stays_as_it_is() -> None:
    messages = says("system", "hello")
    found = fit(messages, 1000, count, shorten)
    assert (found.messages, found.cut) == (messages, False)


def test_a_short_text_needs_no_counting() -> None:
    assert surely_fits(says("a", "b"), (), PROMPT_OVERHEAD + 2 * (MESSAGE_OVERHEAD + 1))
    assert not surely_fits(says("a", "é"), (), PROMPT_OVERHEAD + 2 * (MESSAGE_OVERHEAD + 1))


def a_round(number: int, words: int, results: int = 1) -> list[PromptMessage]:
    """A round of calls that are two words each, and results of so many words."""
    calls = [call_of(number * 10 + n, arguments="word") for n in range(results)]
    return [wants(*calls, text="so"), *(gave(call, " ".join(["word"] * words)) for call in calls)]


PARTS = st.lists(
    st.one_of(
        MESSAGES.map(lambda found: found[:1]),
        st.builds(a_round, st.integers(1, 10**9), st.integers(0, 60), st.integers(1, 3)),
        st.integers(0, 40).map(lambda n: [gave(None, " ".join(["word"] * n))]),
    ),
    min_size=1,
    max_size=8,
)


@given(PARTS, st.integers(300, 900))
def test_a_prompt_with_calls_fits_and_no_result_is_parted_from_its_call(
    parts: list[list[PromptMessage]], room: int
) -> None:
    found = fit([m for part in parts for m in part], room, count, shorten).messages
    assert size(list(found)) <= room
    asked = {call.id for message in found for call in message.tool_calls}
    assert asked == {m.tool_call_id for m in found if m.tool_call_id}


def test_a_round_goes_as_a_whole_before_what_is_newer() -> None:
    messages = [*says("system", "old")[:2], *a_round(1, 50, 2), *says("", "new")[1:2]]
    found = fit(messages, size(messages) - 3 * MESSAGE_OVERHEAD, count, shorten)
    assert [m.content for m in found.messages] == ["system", "new"]


def test_what_the_user_asked_stays_with_the_last_round_in_the_middle_of_a_turn() -> None:
    before = says("system", "old " * 20, "answer " * 20, "the question")
    messages = [*before, *a_round(1, 30), *a_round(2, 30)]
    last = messages[-2:]
    found = fit(messages, size([before[0], before[3], *last]), count, shorten).messages
    assert list(found) == [before[0], before[3], *last]


def test_long_results_of_the_last_round_are_shortened_alike() -> None:
    messages = [*says("system", "the question")[:2], *a_round(1, 500, 2)]
    found = fit(messages, 300, count, shorten).messages
    assert [m.content for m in found[:3]] == ["system", "the question", "so"]
    one, other = (count(m.content) for m in found[3:])
    assert abs(one - other) <= 1
    assert size(list(found)) == 300


def test_calls_that_alone_are_too_long_are_told_as_text_that_can_be_shortened() -> None:
    call = call_of(1, arguments="word " * 1000)
    messages = [*says("system", "the question")[:2], wants(call), gave(call, "result")]
    found = fit(messages, 200, count, shorten).messages
    assert not any(message.tool_calls or message.tool_call_id for message in found)
    assert size(list(found)) <= 200


def test_calls_and_tools_count() -> None:
    call = call_of(1, arguments="one two")
    assert size_of(wants(call, text="so"), count) == MESSAGE_OVERHEAD + 1 + CALL_OVERHEAD + 3
    assert size_of_tools((), count) == 0
    assert size_of_tools([CALCULATOR], count) > TOOLS_OVERHEAD
    messages = says("a", "b")
    room = size(messages) + 10
    assert surely_fits(messages, (), room)
    assert not surely_fits(messages, [CALCULATOR], room)


def test_tools_take_at_most_half_of_the_room_the_first_ones_first() -> None:
    each = size_of_tools([CALCULATOR], count) - TOOLS_OVERHEAD
    tools = [CALCULATOR] * 5
    assert offered(tools, 2 * (TOOLS_OVERHEAD + 5 * each), count) == tools
    assert len(offered(tools, 2 * (TOOLS_OVERHEAD + 3 * each), count)) == 3
    assert offered(tools, 100, count) == []
