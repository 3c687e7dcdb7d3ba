"""Key topics by a fixed rule."""

from servers.runtime.language.stop_words import LANGUAGES, language_of
from servers.summarizer.material import material
from servers.summarizer.passages import Passage
from servers.summarizer.topics import MOST_TOPICS, key_topics


def topics(*texts: str, speaker: str = "Ada") -> list[str]:
    return key_topics(material([Passage(speaker, text) for text in texts]))


def test_what_several_messages_name_is_a_topic() -> None:
    found = topics(
        "The support group meets on Tuesday evenings.",
        "I like the support group very much.",
        "Tuesday is good for me, and for pottery.",
    )
    assert found[0] == "support group"
    assert "Tuesday" in found


def test_a_part_of_a_longer_topic_is_none() -> None:
    assert "climate" not in topics(
        "Climate change worries me a lot.",
        "Climate change is what we talk about.",
    )


def test_names_of_speakers_are_no_topics() -> None:
    assert topics("Hello Ada, how is Ada today?", "Ada paints sunsets every week.") == [
        "sunsets",
        "paints",
    ]


def test_topics_are_written_as_they_first_were() -> None:
    assert (
        topics("Mount Fuji looks splendid.", "We climbed mount fuji at night.")[0] == "Mount Fuji"
    )
    assert topics("Caroline\u2019s horse ran away quickly.")[0] in ("Caroline", "quickly")


def test_there_are_few_and_each_says_something_else() -> None:
    found = topics(*(f"Alpha{n} beta{n} gamma{n} delta{n} epsilon{n}." for n in range(20)))
    assert len(found) == MOST_TOPICS
    assert len({topic.lower() for topic in found}) == len(found)


def test_other_languages_have_topics_too() -> None:
    german = topics(
        "Ich möchte mit dem Zug nach Hamburg fahren.",
        "Der Zug nach Hamburg ist leider schon voll.",
    )
    assert set(german[:2]) == {"Zug", "Hamburg"}
    chinese = topics("我喜欢苹果。苹果很甜。", "你喜欢苹果吗\uff1f")
    assert "苹果" in "".join(chinese)


def test_the_language_is_the_one_whose_stop_words_are_there() -> None:
    for stops in LANGUAGES:
        assert language_of(sorted(stops)) == stops
    assert language_of([]) == LANGUAGES[0]


def test_nothing_told_has_no_topics() -> None:
    assert topics() == []
    assert topics("?!?!") == []
    assert topics("ok", "and so on") == []
