"""Ranking and packing: pure, so no event loop."""

from hypothesis import given
from hypothesis import strategies as st

from kari.context_integrator.v1.context_integrator_pb2 import AssembleRequest
from kari.conversation_models.v1.context_pb2 import ContextBundle, ContextSource, ContextVerdict
from kari.conversation_models.v1.conversation_pb2 import Conversation, ConversationMode, Persona
from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from servers.context_integrator.assembly import assemble
from servers.context_integrator.gathering import Gathered
from servers.context_integrator.instructions import system_message
from servers.context_integrator.packing import water_level

USER = MessageRole.MESSAGE_ROLE_USER


def count(text: str) -> int:
    """A word is a token."""
    return len(text.split())


def shorten(text: str, tokens: int) -> str:
    """The first words of a text."""
    return " ".join(text.split()[:tokens])


def message(sequence: int, content: str) -> Message:
    return Message(id=f"msg_{sequence:032x}", sequence=sequence, role=USER, content=content)


def assembled(
    recent: list[Message],
    current: str = "what now",
    budget: int = 1000,
    pinned: list[Message] | None = None,
    **conversation: object,
) -> ContextBundle:
    request = AssembleRequest(
        conversation=Conversation(
            pinned_message_ids=[m.id for m in pinned or []],
            **conversation,  # type: ignore[arg-type]
        ),
        current_message=message(1000, current),
        budget_tokens=budget,
    )
    return assemble(request, recent, pinned or [], count, shorten)


def texts(bundle: ContextBundle) -> list[str]:
    return [m.content for m in bundle.messages[1:]]


def test_everything_fits_in_order() -> None:
    """System first, then the thread as it was said, the current message last."""
    bundle = assembled([message(1, "one"), message(2, "two")])
    assert texts(bundle) == ["one", "two", "what now"]
    assert bundle.messages[0].role == MessageRole.MESSAGE_ROLE_SYSTEM


def test_the_latest_messages_win_over_older_ones() -> None:
    """With room for little, the end of the thread stays."""
    bundle = assembled([message(n, f"word{n} filler") for n in range(1, 50)], budget=70)
    kept = texts(bundle)
    assert kept[-2:] == ["word49 filler", "what now"]
    assert "word1 filler" not in kept


def test_an_older_message_with_the_wanted_word_wins_over_newer_ones() -> None:
    """Exact keywords weigh more than recency."""
    recent = [message(1, "the wombat eats"), *(message(n, "noise here") for n in range(2, 30))]
    recent = [m if m.sequence < 2 else message(m.sequence, f"noise {m.sequence}") for m in recent]
    bundle = assembled(recent, current="wombat please", budget=75)
    assert "the wombat eats" in texts(bundle)
    assert "noise 5" not in texts(bundle)


def test_pinned_messages_are_always_in() -> None:
    """Even where nothing else fits."""
    pin = message(3, "pinned fact")
    bundle = assembled([message(n, "x " * 50) for n in range(4, 9)], budget=64, pinned=[pin])
    assert "pinned fact" in texts(bundle)


def test_a_message_that_is_too_long_loses_its_end() -> None:
    """And the manifest says so."""
    bundle = assembled([], current="w " * 5000, budget=100)
    verdicts = {c.source: c.verdict for c in bundle.manifest.candidates}
    current = verdicts[ContextSource.CONTEXT_SOURCE_CURRENT]
    assert current == ContextVerdict.CONTEXT_VERDICT_SHORTENED
    assert bundle.manifest.tokens <= 100


def test_the_same_text_goes_in_once() -> None:
    """A repeated message is a duplicate."""
    bundle = assembled([message(1, "again"), message(2, "again")])
    assert texts(bundle) == ["again", "what now"]


def test_cleared_messages_stay_out_unless_pinned() -> None:
    """Clearing hides what was said before it; a pin outlives it."""
    pin = message(1, "keep me")
    recent = [pin, message(2, "old"), message(3, "new")]
    bundle = assembled(recent, pinned=[pin], context_cleared_through=2)
    assert texts(bundle) == ["keep me", "new", "what now"]


def test_persona_and_mode_are_said_in_a_fixed_order() -> None:
    """Traits are sorted: a map has no order of its own."""
    persona = Persona(name="technical_expert", traits={"tone": "formal", "depth": "high"})
    text = system_message(
        Conversation(mode=ConversationMode.CONVERSATION_MODE_CODE, persona=persona)
    )
    assert text.endswith("Speak as technical expert. depth: high; tone: formal.")


@given(
    contents=st.lists(st.text(max_size=60), max_size=30),
    current=st.text(min_size=1, max_size=300),
    budget=st.integers(64, 400),
)
def test_same_inputs_give_same_bytes_within_the_budget(
    contents: list[str], current: str, budget: int
) -> None:
    """Determinism, and a prompt that never outgrows its budget."""
    recent = [message(i + 1, c) for i, c in enumerate(contents)]
    one, two = (assembled(recent, current, budget) for _ in range(2))
    assert one.SerializeToString(deterministic=True) == two.SerializeToString(deterministic=True)
    assert one.manifest.tokens <= budget


@given(sizes=st.lists(st.integers(0, 500), min_size=1, max_size=20), room=st.integers(0, 5000))
def test_water_never_overflows(sizes: list[int], room: int) -> None:
    """Cut off at the level, the sizes fit."""
    level = water_level(sizes, room)
    assert sum(min(size, level) for size in sizes) <= room


def test_a_text_that_cannot_fit_is_cut_without_counting_it() -> None:
    """Counting is what takes time; the manifest has the least number of tokens."""
    counted: list[str] = []

    def noting(text: str) -> int:
        counted.append(text)
        return count(text)

    request = AssembleRequest(current_message=message(9, "now"), budget_tokens=100)
    recent = [message(1, "\u9577" * 100_000), message(2, "short")]
    bundle = assemble(request, recent, [], noting, shorten)
    assert recent[0].content not in counted
    assert texts(bundle) == ["short", "now"]
    (cut,) = [c for c in bundle.manifest.candidates if c.message_id == recent[0].id]
    assert (cut.tokens, cut.verdict) == (1562, ContextVerdict.CONTEXT_VERDICT_CUT_BUDGET)


def test_all_texts_decide_where_they_are_counted() -> None:
    """Not the current message alone: a short question may have a long history. Short texts, whose
    tokens are remembered, take no time."""
    recent = [message(1, "x" * 15_000), *(message(n, "short") for n in range(2, 9))]
    gathered = Gathered(recent, [message(9, "y" * 6_000)], ())
    assert gathered.long_characters == 21_000
