"""Cutting prompts to a window. No event loop; a token is a word here."""

from hypothesis import given
from hypothesis import strategies as st

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole as Role
from servers.model_factory.fitting import fit, surely_fits
from servers.runtime.tokens import MESSAGE_OVERHEAD, PROMPT_OVERHEAD
from tests.model_factory.conftest import says

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
    return PROMPT_OVERHEAD + sum(MESSAGE_OVERHEAD + count(m.content) for m in messages)


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
