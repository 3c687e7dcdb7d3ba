"""Building a prompt again from its manifest: pure, so no event loop."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from kari.conversation_models.v1.context_pb2 import ContextBundle, MemoryItem
from kari.conversation_models.v1.message_pb2 import Message
from servers.context_integrator.replay import Texts, in_prompt, message_ids, replayed
from tests.context_integrator.findings import (
    assembled,
    earlier,
    found,
    known,
    message,
    recent,
    summary,
)

CURRENT = "what now wombat"


def texts_of(memories: Sequence[MemoryItem], *messages: Message) -> Texts:
    """Everything that production memory would find."""
    said = [*messages, *(item.message for item in memories if item.HasField("message"))]
    return Texts(
        {m.id: m for m in said},
        {item.memory.id: item.memory for item in memories if item.HasField("memory")},
        {item.summary.id: item.summary for item in memories if item.HasField("summary")},
    )


def both(
    memories: Sequence[MemoryItem],
    results: Sequence[tuple[Message, float]] = (),
    pinned: Sequence[Message] = (),
    current: str = CURRENT,
    budget: int = 2000,
) -> tuple[ContextBundle, Texts]:
    """A prompt, and the texts that it was made of."""
    bundle = assembled([], current, budget, pinned, found_=found(*memories, results=results))
    said = [*pinned, *(m for m, _ in results), message(1000, current)]
    return bundle, texts_of(memories, *said)


def test_a_prompt_is_built_again_byte_for_byte() -> None:
    """From every kind of source."""
    thread = recent(message(200, "hello"), message(201, "more wombats"))
    recalled = [
        earlier(message(3, "wombats dig"), 0.9),
        known("mem_1", "The user likes wombats.", 0.8),
        summary(1, 1, 100, "All about wombats."),
    ]
    past = message(4, "x" * 700 + " wombat", conversation=8)
    bundle, texts = both([*thread, *recalled], [(message(5, "wombat two", 8), 0.7)], [past])
    again = replayed(bundle.manifest, texts)
    assert again.identical
    assert list(again.bundle.messages) == list(bundle.messages)


def test_an_excerpt_is_found_again_in_the_whole_text() -> None:
    """A search shows the part of a long message that fits best."""
    whole = message(5, "a" * 1000 + "\x02 the wombat \x03" + "b" * 1000, conversation=8)
    shown = message(5, "the wombat ", conversation=8)
    results = found(results=[(shown, 0.9)])
    results[1][0].start = 1001
    bundle = assembled([], CURRENT, found_=results)
    assert "the wombat" in bundle.messages[0].content
    again = replayed(bundle.manifest, texts_of([], whole, message(1000, CURRENT)))
    assert again.identical


def test_what_was_forgotten_is_missing_and_said() -> None:
    """And the prompt is not the one that was used."""
    bundle, texts = both([known("mem_1", "The user likes wombats.", 0.8)])
    again = replayed(bundle.manifest, Texts(texts.messages))
    assert not again.identical
    assert again.missing_ids == ["mem_1"]
    assert "wombats" not in again.bundle.messages[0].content


def test_a_changed_text_is_noticed() -> None:
    """The hash is that of the bytes that were used."""
    bundle, texts = both(recent(message(200, "hello")))
    changed = Texts({**texts.messages, message(200, "").id: message(200, "goodbye")})
    assert not replayed(bundle.manifest, changed).identical


def test_messages_are_looked_for_where_they_are() -> None:
    """Those of other conversations by their own."""
    bundle, _ = both(recent(message(200, "hello")), [(message(5, "wombat", 8), 0.7)])
    wanted = message_ids(in_prompt(bundle.manifest), "here")
    assert wanted == {
        "here": [message(1000, "").id, message(200, "").id],
        message(5, "", 8).conversation_id: [message(5, "", 8).id],
    }


TEXT = st.text(min_size=1, max_size=80)


@settings(max_examples=200)
@given(
    thread=st.lists(TEXT, max_size=10),
    pinned=st.lists(TEXT, max_size=3),
    memories=st.lists(TEXT, max_size=4),
    earlier_=st.lists(TEXT, max_size=4),
    results=st.lists(TEXT, max_size=4),
    current=TEXT,
    budget=st.integers(64, 300),
)
def test_every_prompt_is_built_again(
    thread: list[str],
    pinned: list[str],
    memories: list[str],
    earlier_: list[str],
    results: list[str],
    current: str,
    budget: int,
) -> None:
    """Whatever was cut, shortened or left out."""
    items = [
        *recent(*(message(100 + i, text) for i, text in enumerate(thread))),
        *(earlier(message(50 + i, text), 0.9) for i, text in enumerate(earlier_)),
        *(known(f"mem_{i}", text, 0.9) for i, text in enumerate(memories)),
    ]
    past = [
        (message(1 + i, text.translate({2: None, 3: None}), 7), 0.9)
        for i, text in enumerate(results)
    ]
    pins = [message(10 + i, text) for i, text in enumerate(pinned)]
    bundle, texts = both(items, past, pins, current, budget)
    again = replayed(bundle.manifest, texts)
    assert again.identical
    assert again.bundle.SerializeToString() == bundle.SerializeToString()
