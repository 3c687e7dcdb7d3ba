"""Conversations are summarized without being asked: in parts as they go on, and when they rest."""

from prometheus_client import REGISTRY

from tests.production_memory.memory import FAILED
from tests.summarizer.study import EPISODIC, ROLLING, Study

GARDEN = (
    ("What should I plant in my garden in May?", "Tomatoes and beans grow well after the frost."),
    ("How often do tomatoes need water?", "Water tomatoes deeply twice a week in the garden."),
    ("Can beans grow beside tomatoes?", "Beans and tomatoes are good neighbours in a garden."),
)


async def test_a_rolling_summary_is_made_of_every_so_many_turns(study: Study) -> None:
    before = counted(), timed()
    await study.talk(*GARDEN, *GARDEN, GARDEN[0])
    first, second = await study.summaries(2, ROLLING)
    assert counted() >= before[0] + 2
    assert timed() >= before[1] + 2
    ids = await study.messages()
    covers = first.message_range
    assert (covers.first_message_id, covers.last_message_id) == (ids[0], ids[5])
    assert (covers.first_sequence, covers.last_sequence) == (1, 6)
    assert second.message_range.first_sequence == 7
    assert second.message_range.last_sequence == 12


def counted() -> float:
    return sample("kari_chat_summaries_generated_total")


def timed() -> float:
    return sample("kari_chat_summary_latency_seconds_count")


def sample(name: str) -> float:
    labels = {"kind": "rolling", "way": "extractive"}
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_it_has_the_one_format(study: Study) -> None:
    """Sentences that were said, with who said them; topics; what each participant wanted."""
    await study.talk(*GARDEN)
    (made,) = await study.summaries(1, ROLLING)
    said = {text for exchange in GARDEN for text in exchange}
    for line in made.summary.split("\n"):
        speaker, _, text = line.partition(": ")
        assert speaker in ("User", "Assistant")
        assert any(text.startswith(sentence) for sentence in said)
    assert "tomatoes" in [topic.lower() for topic in made.key_topics]
    assert [each.participant for each in made.participant_intents] == ["User", "Assistant"]
    assert made.participant_intents[0].intent in said
    assert made.participant_intents[0].intent.endswith("?")
    assert made.conversation_id == study.conversation_id
    assert made.model_used == ""


async def test_the_same_messages_give_the_same_summary(study: Study) -> None:
    other = study.as_somebody()
    for each in (study, other):
        with each.somebody.acts(each.wiring):
            await each.talk(*GARDEN)
    (one,) = await study.summaries(1, ROLLING)
    with other.somebody.acts(other.wiring):
        (same,) = await other.summaries(1, ROLLING)
    for made in (one, same):
        for field in ("id", "conversation_id", "created_at", "message_range"):
            made.ClearField(field)
    assert one.SerializeToString(deterministic=True) == same.SerializeToString(deterministic=True)


async def test_an_episodic_summary_is_made_when_a_conversation_rests(study: Study) -> None:
    """Of all that is not covered by an earlier one, once."""
    await study.talk(*GARDEN[:2])
    (first,) = await study.summaries(1, EPISODIC)
    assert (first.message_range.first_sequence, first.message_range.last_sequence) == (1, 4)
    await study.talk(*GARDEN[:2])
    _, second = await study.summaries(2, EPISODIC)
    assert (second.message_range.first_sequence, second.message_range.last_sequence) == (5, 8)


async def test_an_import_is_parted_where_it_rested(study: Study) -> None:
    """By the times at which things were said, not at which they came: a minute lies between these,
    and conversations rest after two seconds here, so that the shortest episodes come of it."""
    await study.take_in([f"Ada: We talked about boat number {n}." for n in range(9)])
    made = await study.summaries(2, EPISODIC)
    places = [(s.message_range.first_sequence, s.message_range.last_sequence) for s in made]
    assert places == [(1, 4), (5, 8)]
    assert [each.participant for each in made[0].participant_intents] == ["Ada"]


async def test_apologies_and_questions_without_answer_are_no_trouble(study: Study) -> None:
    for question, _ in GARDEN:
        begun = await study.memory.begin(question)
        await study.memory.finish(
            begun.led_turn.turn.id, "Sorry, no model answers.", state=FAILED, apology=True
        )
    (made,) = await study.summaries(1, ROLLING)
    assert "Sorry" not in made.summary
    assert [each.participant for each in made.participant_intents] == ["User"]


async def test_rubbish_is_summarized_as_well(study: Study) -> None:
    """Nothing that people type holds up the summaries behind it."""
    rubbish = [" ", "?!?!", "\u202e\u200b", "\U0001f43b" * 50, "```\ncode\n```", "ok"]
    await study.take_in([f"Ada: {text}" for text in rubbish])
    (made, *_) = await study.summaries(1, ROLLING)
    assert (made.message_range.first_sequence, made.message_range.last_sequence) == (1, 6)


async def test_long_messages_are_summarized_within_bounds(study: Study) -> None:
    text = " ".join(f"Sentence number {n} is about whales and the sea." for n in range(2000))
    await study.take_in([f"Ada: {text[:99_000]}" for _ in range(6)])
    (made, *_) = await study.summaries(1, ROLLING)
    assert 0 < len(made.summary) <= 1200
    assert "whales" in made.key_topics


async def test_nobody_else_reads_them(study: Study) -> None:
    await study.talk(*GARDEN)
    (made,) = await study.summaries(1, ROLLING)
    stranger = study.as_somebody()
    with stranger.somebody.acts(stranger.wiring):
        assert not (await stranger.read(made.id)).summaries
    assert (await study.read(made.id)).summaries[0] == made
