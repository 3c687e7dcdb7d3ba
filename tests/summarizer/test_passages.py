"""Messages become passages: who is heard, how much is read, where an episode ends."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from servers.summarizer.passages import (
    FEWEST_OF_EPISODE,
    READ_CHARACTERS,
    Passage,
    episode,
    passages_of,
)

USER, ASSISTANT = MessageRole.MESSAGE_ROLE_USER, MessageRole.MESSAGE_ROLE_ASSISTANT
REST = timedelta(minutes=30)


def said(*minutes: float) -> list[Message]:
    """Messages of these times."""
    messages = []
    for minute in minutes:
        when = Timestamp()
        when.FromDatetime(datetime(2023, 5, 8, tzinfo=UTC) + timedelta(minutes=minute))
        messages.append(Message(role=USER, content="x", timestamp=when))
    return messages


def test_people_and_the_assistant_are_heard() -> None:
    apology = Message(role=ASSISTANT, content="Sorry.")
    apology.metadata["apology"] = True
    messages = [
        Message(role=USER, content="one", author="Ada"),
        Message(role=ASSISTANT, content="two"),
        Message(role=USER, content="three"),
        Message(role=MessageRole.MESSAGE_ROLE_SYSTEM, content="be brief"),
        Message(role=MessageRole.MESSAGE_ROLE_TOOL, content="42"),
        apology,
    ]
    assert passages_of(messages) == [
        Passage("Ada", "one"),
        Passage("Assistant", "two"),
        Passage("User", "three"),
    ]


def test_of_too_much_text_everybody_keeps_a_share() -> None:
    long = Message(role=USER, content="x" * 100_000)
    short = Message(role=USER, content="short")
    passages = passages_of([*[long] * 9, short])
    assert sum(len(each.text) for each in passages) <= READ_CHARACTERS
    assert passages[-1].text == "short"
    assert len(passages[0].text) == (READ_CHARACTERS - 5) // 9


def test_an_episode_ends_at_the_first_rest() -> None:
    messages = said(0, 1, 2, 3, 4, 40, 41, 42, 43)
    assert len(episode(messages, REST)) == 5
    assert len(episode(messages[5:], REST)) == 4


def test_an_episode_without_a_rest_is_all_there_is() -> None:
    messages = said(*range(9))
    assert list(episode(messages, REST)) == messages


def test_a_short_episode_belongs_to_the_next_one() -> None:
    assert FEWEST_OF_EPISODE == 4
    assert len(episode(said(0, 1, 60, 61, 62, 120, 121), REST)) == 5


def test_times_that_go_backwards_are_no_rest() -> None:
    assert len(episode(said(100, 99, 98, 97, 50, 51), REST)) == 6
