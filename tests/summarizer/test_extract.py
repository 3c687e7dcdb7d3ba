"""A summary of chosen sentences: deterministic, in order, within bounds, for whatever was said."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from kari.conversation_models.v1.summary_pb2 import ConversationSummary
from servers.summarizer.extract import MOST_CHARACTERS, extract
from servers.summarizer.material import MOST_SENTENCES as MOST_RANKED
from servers.summarizer.material import evenly, material
from servers.summarizer.passages import Passage
from servers.summarizer.ranking import central, hashed, taken

VOCABULARY = "the a whale sea garden painting Ada I you 我 喜 欢 苹 果 नमस्ते ? . ! ``` 42"
WORDS = st.sampled_from([*VOCABULARY.split(" "), "\n"])
TEXTS = st.one_of(st.lists(WORDS, max_size=40).map(" ".join), st.text(max_size=200))
PASSAGES = st.lists(
    st.builds(Passage, st.sampled_from(["Ada", "Ben", "", "Assistant", "x" * 200]), TEXTS),
    max_size=30,
)


def made(passages: Sequence[Passage]) -> ConversationSummary:
    """The summary, sentences compared by their words."""
    told = material(passages)
    return extract(told, [hashed(each.text) for each in told])


@given(PASSAGES)
def test_the_same_gives_the_same_bytes(passages: list[Passage]) -> None:
    first, again = made(passages), made(list(passages))
    assert first.SerializeToString(deterministic=True) == again.SerializeToString(
        deterministic=True
    )


@given(PASSAGES)
def test_it_stays_within_its_bounds(passages: list[Passage]) -> None:
    summary = made(passages)
    assert len(summary.summary) <= MOST_CHARACTERS
    assert len(summary.key_topics) <= 6
    assert all(0 < len(topic) <= 60 for topic in summary.key_topics)
    assert len(summary.participant_intents) <= 10
    assert all(0 < len(each.intent) <= 300 for each in summary.participant_intents)


@given(PASSAGES)
def test_it_says_nothing_that_was_not_said(passages: list[Passage]) -> None:
    """Its sentences stand in the passages, in their order, each once."""
    told = material(passages)
    summary = made(passages).summary
    speakers = {each.speaker for each in told}
    for line in filter(None, summary.split("\n")):
        named = [(who, f"{who[:40]}: " if who else "") for who in speakers]
        assert any(
            line.startswith(prefix)
            and consists_of(line[len(prefix) :], [s.text for s in told if s.speaker == who])
            for who, prefix in named
        )


def consists_of(text: str, said: Sequence[str]) -> bool:
    """Whether the text is some of what was said, in its order."""
    return any(
        text == each
        or (text.startswith(f"{each} ") and consists_of(text[len(each) + 1 :], said[n:]))
        for n, each in enumerate(said, 1)
    )


@given(PASSAGES)
def test_whoever_says_something_has_an_intent_of_their_own(passages: list[Passage]) -> None:
    told = material(passages)
    for each in made(passages).participant_intents:
        assert each.intent in [said.text for said in told if said.speaker == each.participant]


def test_one_message_is_its_own_summary() -> None:
    assert (
        made([Passage("Ada", "Whales live in the sea.")]).summary == "Ada: Whales live in the sea."
    )


def test_a_text_without_a_speaker_has_no_participants() -> None:
    summary = made([Passage("", "Whales live in the sea. They sing long songs.")])
    assert summary.summary == "Whales live in the sea."
    assert not summary.participant_intents


def test_nothing_gives_nothing() -> None:
    for passages in ([], [Passage("Ada", " ")], [Passage("Ada", "```code```")]):
        assert made(passages) == ConversationSummary()


def test_rubbish_stands_for_itself_if_there_is_nothing_else() -> None:
    assert made([Passage("Ada", "?!?!")]).summary == "Ada: ?!?!"
    assert (
        "?!?!"
        not in made([Passage("Ada", "?!?!"), Passage("Ben", "We sail at dawn tomorrow.")]).summary
    )


def test_what_is_said_again_and_again_is_said_once() -> None:
    """And other things get their place."""
    passages = [Passage("Ada", "Whales live in the sea.")] * 9
    passages += [Passage("Ada", f"Boats number {n} sail near whales.") for n in range(9)]
    assert made(passages).summary.count("Whales live in the sea.") <= 1
    assert "Boats" in made(passages).summary


def test_five_hundred_messages_are_ranked_by_two_hundred_sentences() -> None:
    passages = [Passage("Ada", f"Message {n} is about whales. And boats, too.") for n in range(500)]
    told = material(passages)
    assert len(told) == MOST_RANKED
    assert told[0].passage == 0
    assert told[-1].passage > 490
    assert 0 < len(made(passages).summary) <= MOST_CHARACTERS


def test_a_message_of_100_kb_leaves_room_for_the_others() -> None:
    long = Passage("Ada", " ".join(f"Whale number {n} swims in the sea." for n in range(3000)))
    short = [Passage("Ben", f"I counted {n} boats near the harbour.") for n in range(20)]
    told = material([long, *short])
    assert len(told) == MOST_RANKED
    assert sum(each.speaker == "Ben" for each in told) == 20


def test_the_lead_is_among_those_that_are_taken_evenly() -> None:
    assert evenly(range(10), 3) == [0, 3, 6]
    assert evenly(range(3), 10) == [0, 1, 2]


def test_central_sentences_are_taken_first_and_likes_of_them_later() -> None:
    near, same, other, far = (1.0, 0.1), (1.0, 0.1), (0.8, 0.6), (0.0, 1.0)
    assert central([near, other, far])[1] == max(central([near, other, far]))
    assert taken([near, same, other], lambda _: True, 2) == [0, 2]
    assert taken([near, same, other, far], lambda place: place != 2, 2) != [2]


@given(st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), max_size=12), st.integers(0, 5))
def test_no_more_are_taken_than_wanted_and_in_order(vectors: list[list[float]], most: int) -> None:
    found = taken(vectors, lambda _: True, most)
    assert len(found) == min(most, len(vectors))
    assert found == sorted(set(found))


def test_vectors_of_words_tell_texts_apart() -> None:
    assert hashed("Whales sing") == hashed("whales SING")
    assert hashed("whales") != hashed("boats")
