"""What goes into a prompt beside the conversation, from real servers and stores."""

import pytest

from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.ids import new_id
from tests.context_integrator.desk import Desk, kept, told
from tests.conversation_search.library import Library
from tests.production_memory.calling import ended, record, step
from tests.production_memory.embedder import Embedder
from tests.production_memory.memory import Memory, refusal

PAST = (
    "Ann: I keep three wombats in the garden behind the house",
    "Kari: Wombats dig, so mind the foundations.",
    "Ann: The oldest one is called Bruno and he was born in Perth",
)


async def garden(library: Library) -> str:
    """A conversation of the caller's about wombats, indexed."""
    conversation = await library.conversation()
    await library.said(conversation, *PAST)
    await library.indexed(len(PAST))
    return conversation


async def test_another_conversation_answers(desk: Desk) -> None:
    """Found by the words and the meaning of the message, and quoted with who said it when."""
    await garden(desk.library)
    led = await desk.asked(await desk.library.conversation(), "Where was my wombat Bruno born?")
    response = await desk.assembled(led.message)
    assert "- [2023-05-08, Ann] The oldest one is called Bruno" in told(response)
    assert kept(response)[0] == "past_thread"
    assert not response.degradations
    (found,) = [
        c for c in response.bundle.manifest.candidates if "Bruno" in PAST[2] and c.score > 1
    ]
    assert 0.3 < found.similarity < 1


async def test_an_early_part_of_a_long_conversation_answers(desk: Desk) -> None:
    """It is out of the recent messages' budget, and comes back as what was said earlier."""
    conversation = await garden(desk.library)
    filler = [f"Ann: Let us talk about taxes, part {n}, and about forms" for n in range(60)]
    await desk.library.said(conversation, *filler)
    led = await desk.asked(conversation, "Where was the wombat Bruno born?")
    response = await desk.assembled(led.message, budget=400)
    in_prompt = [m.content for m in response.bundle.messages]
    assert any("born in Perth" in text for text in in_prompt)
    assert response.bundle.manifest.tokens <= 400


async def test_what_worked_is_told_to_the_next_turn_of_its_kind(desk: Desk) -> None:
    """By its question and the names of the tools."""
    library = desk.library
    memory = Memory(library.wiring, Embedder(), library.somebody, await library.conversation())
    turn_id = (await memory.begin("What is the exchange rate of the euro?")).led_turn.turn.id
    await record(memory, turn_id, ended(step("web_search")), ended(step("http_fetch", round=2)))
    await memory.finish(turn_id, "It is 1.08.")
    led = await desk.asked(await library.conversation(), "what's the euro exchange rate today?")
    while "vault" not in kept(response := await desk.assembled(led.message)):
        pass
    procedure = "was answered with web_search(), then http_fetch()."
    assert f'"What is the exchange rate of the euro?" {procedure}' in told(response)


async def test_what_is_remembered_of_the_user_answers(desk: Desk) -> None:
    """And of the domain."""
    await desk.remembered("The user's sister is called Gwendolyn")
    led = await desk.asked(await desk.library.conversation(), "What is my sister called?")
    await desk.library.indexed(0)
    while "vault" not in kept(response := await desk.assembled(led.message)):
        pass
    assert "- The user's sister is called Gwendolyn" in told(response)


async def test_shared_conversations_keep_out_what_is_private(desk: Desk) -> None:
    """Others read the answer: other conversations and what is remembered stay out of it."""
    await garden(desk.library)
    await desk.remembered("The user's wombat is called Bruno")
    led = await desk.asked(await desk.library.conversation(), "Where was my wombat Bruno born?")
    while "vault" not in kept(await desk.assembled(led.message)):
        pass
    others = [desk.library.somebody.user_id, new_id("user")]
    response = await desk.assembled(led.message, participant_ids=others)
    assert kept(response) == []
    assert "Bruno" not in told(response)


async def test_nobody_is_told_of_others(desk: Desk) -> None:
    """Neither in the same tenant nor in another one."""
    await garden(desk.library)
    await desk.remembered("The user's wombat is called Bruno")
    tenant_id = desk.library.somebody.tenant_id
    for stranger in (desk.as_somebody(tenant_id=tenant_id), desk.as_somebody()):
        with stranger.library.somebody.acts(stranger.library.wiring):
            conversation = await stranger.library.conversation()
            led = await stranger.asked(conversation, "Where was my wombat Bruno born?")
            response = await stranger.assembled(led.message)
            assert len(response.bundle.manifest.candidates) == 2


async def test_a_prompt_of_the_past_is_made_again(desk: Desk) -> None:
    """Byte for byte, from what the stores have."""
    await garden(desk.library)
    conversation = await desk.library.conversation()
    await desk.library.said(conversation, *(f"Ann: wombat note {n}" for n in range(5)))
    led = await desk.asked(conversation, "Where was my wombat Bruno born?")
    response = await desk.assembled(led.message)
    await desk.answered(led, response.bundle.manifest)
    again = await desk.replayed(led.turn.id)
    assert again.identical
    assert list(again.bundle.messages) == list(response.bundle.messages)
    assert again.bundle.manifest == response.bundle.manifest


async def test_a_replay_names_what_was_forgotten(desk: Desk) -> None:
    """The prompt is not what it was, and the text is nowhere in it."""
    from kari.production_memory.v1.production_memory_pb2 import ForgetMemoriesRequest

    stored = await desk.remembered("The user's sister is called Gwendolyn")
    led = await desk.asked(await desk.library.conversation(), "What is my sister called?")
    while "vault" not in kept(response := await desk.assembled(led.message)):
        pass
    await desk.answered(led, response.bundle.manifest)
    assert (await desk.replayed(led.turn.id)).identical
    await desk.memory.ForgetMemories(
        ForgetMemoriesRequest(request_id=new_id("req"), memory_ids=[stored.memory.id])
    )
    again = await desk.replayed(led.turn.id)
    assert (again.identical, list(again.missing_ids)) == (False, [stored.memory.id])
    assert "Gwendolyn" not in str(again.bundle.messages)


async def test_a_turn_of_another_tenant_is_not_replayed(desk: Desk) -> None:
    """It does not exist there."""
    led = await desk.asked(await desk.library.conversation(), "hello")
    await desk.answered(led, (await desk.assembled(led.message)).bundle.manifest)
    stranger = desk.as_somebody()
    with stranger.library.somebody.acts(stranger.library.wiring):
        refused = await refusal(stranger.replayed(led.turn.id))
    assert refused.reason == Reason.REASON_TURN_NOT_FOUND


async def test_a_turn_without_a_manifest_has_no_prompt(desk: Desk) -> None:
    """It has not come that far."""
    led = await desk.asked(await desk.library.conversation(), "hello")
    assert not (await desk.replayed(led.turn.id)).HasField("bundle")


async def test_a_message_of_a_hundred_kilobytes_has_a_context(desk: Desk) -> None:
    """Its beginning is looked for; the message is cut to the budget, and that is said."""
    await garden(desk.library)
    content = "Where was my wombat Bruno born? " + "wombat " * 14_000
    led = await desk.asked(await desk.library.conversation(), content)
    response = await desk.assembled(led.message, budget=1000)
    assert response.bundle.manifest.tokens <= 1000
    assert response.bundle.messages[-1].content.startswith("Where was my wombat Bruno born?")


async def test_what_a_message_says_is_no_operator(desk: Desk) -> None:
    """A dash or quotes mean nothing in a question."""
    await garden(desk.library)
    message = '-Bruno "never said this" born in Perth wombats'
    led = await desk.asked(await desk.library.conversation(), message)
    assert "past_thread" in kept(await desk.assembled(led.message))


async def test_a_message_without_words_looks_for_nothing(desk: Desk) -> None:
    """Nothing is near to a smile."""
    await garden(desk.library)
    led = await desk.asked(await desk.library.conversation(), ":-) ok?")
    response = await desk.assembled(led.message)
    assert kept(response) == []
    assert Feature.FEATURE_PAST_THREADS not in [d.feature for d in response.degradations]


async def test_long_pins_are_all_looked_at(desk: Desk) -> None:
    """Production memory gives texts up to a limit: the newest pin is in the prompt, whatever the
    others have."""
    conversation = await desk.library.conversation()
    long = [f"Ann: pin {n} " + "\U0001f43b" * 99_000 for n in range(6)]
    pins = [id_ for each in long for id_ in await desk.library.said(conversation, each)]
    pins += await desk.library.said(conversation, "Ann: the newest pin")
    led = await desk.asked(conversation, "hello")
    response = await desk.assembled(led.message, budget=500, pinned_message_ids=pins)
    assert response.bundle.messages[1].content == "the newest pin"
    assert response.bundle.manifest.pins_left_out == len(long)
    await desk.answered(led, response.bundle.manifest)
    assert (await desk.replayed(led.turn.id)).identical


FILLER = "They eat grass at night and sleep by day in the shade of old trees. " * 12


@pytest.mark.parametrize(
    "text",
    [
        "the wombat Bruno\r\nwas born\r\n\r\nin <b>Perth</b> &amp; <wombat>Bruno</wombat>",
        "\x02the wombat\x03 Bruno \x02was born\x03 in Perth, they say",
        "wombat \x1c Bruno \x85 born \u2028 Perth \u200b\ufeff",
        f"{FILLER} The wombat Bruno was born in Perth. {FILLER}",
        f"{FILLER}\r\n<p>The wombat Bruno was born in Perth.</p>\r\n\r\n{FILLER}",
        f"{FILLER} \x02\x03\x02 The wombat Bruno was \x03 born in Perth. {FILLER}",
        f"\U0001f43b\u0301 {FILLER} e\u0301 The wombat Bruno was born in Perth \U0001f43b {FILLER}",
        f"{FILLER} http://wombat.example/bruno?born=perth#born - wombat,Bruno;born... {FILLER}",
    ],
)
async def test_whatever_is_quoted_is_quoted_again(desk: Desk, text: str) -> None:
    """Tags, control characters, line ends, the part of a long text that fits best."""
    await desk.library.said(await desk.library.conversation(), f"Ann: {text}")
    led = await desk.asked(await desk.library.conversation(), "the wombat Bruno was born in Perth")
    response = await desk.assembled(led.message)
    assert kept(response) == ["past_thread"]
    assert len(told(response).splitlines()) == len(told(response).split("\n"))
    await desk.answered(led, response.bundle.manifest)
    again = await desk.replayed(led.turn.id)
    assert again.identical
    assert list(again.bundle.messages) == list(response.bundle.messages)
