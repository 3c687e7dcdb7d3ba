"""Files in the prompt of a turn: on real stores, with whoever may read them."""

import asyncio

import pytest

from kari.context_integrator.v1.context_integrator_pb2 import AssembleResponse
from kari.conversation_models.v1.context_pb2 import ContextSource
from kari.conversation_models.v1.degradation_pb2 import Feature
from servers.context_integrator import attachments
from servers.runtime.ids import new_id
from tests.context_integrator.desk import Desk, kept, told
from tests.production_memory.filed import dropped, indexed, pieces, shared, untexted

LEASE = (
    "The tenant pays the rent on the first day of each month.",
    "Either party may end this lease with three months' notice.",
    "Dogs and cats are allowed; snakes are not.",
)


def missing(response: AssembleResponse) -> bool:
    """Whether files could not be looked at. (On a busy machine meaning may be late.)"""
    return any(each.feature == Feature.FEATURE_FILES for each in response.degradations)


async def test_an_answer_can_be_made_from_an_attached_file(desk: Desk) -> None:
    """It is quoted with name and page; the manifest says which pieces these are."""
    conversation = await desk.library.conversation()
    file_id = await indexed(desk.library.wiring, *LEASE, name="lease.pdf")
    led = await desk.asked(conversation, "Are snakes allowed?", file_id)
    response = await desk.assembled(led.message)
    assert "- [lease.pdf, page 3]\n| Dogs and cats are allowed; snakes are not." in told(response)
    named = [c for c in response.bundle.manifest.candidates if c.file_id]
    assert named[0].chunk == 2
    assert {(c.file_id, c.conversation_id) for c in named} == {(file_id, conversation)}
    assert not missing(response)


async def test_a_piece_far_behind_the_beginning_is_found(desk: Desk) -> None:
    conversation = await desk.library.conversation()
    texts = [f"Clause {n}. Nothing of importance is said here." for n in range(60)]
    texts[47] = "The tenant feeds the crocodile on Sundays."
    file_id = await indexed(desk.library.wiring, *texts)
    led = await desk.asked(conversation, "Who feeds the crocodile?", file_id)
    assert "page 48]\n| The tenant feeds the crocodile" in told(await desk.assembled(led.message))


async def test_the_beginning_is_there_if_nothing_fits(desk: Desk) -> None:
    """And for a message that has too few words to look for."""
    conversation = await desk.library.conversation()
    file_id = await indexed(desk.library.wiring, *LEASE)
    for content in ("Summarize this, please", "?"):
        led = await desk.asked(conversation, content, file_id)
        response = await desk.assembled(led.message)
        assert all(text in told(response) for text in LEASE)
        await desk.answered(led, response.bundle.manifest)


async def test_a_file_without_text_adds_nothing(desk: Desk) -> None:
    conversation = await desk.library.conversation()
    led = await desk.asked(conversation, "What is this?", new_id("file"))
    response = await desk.assembled(led.message)
    assert "file" not in kept(response)
    assert not missing(response)


async def test_nobody_waits_for_a_file_that_is_known_to_have_no_text(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a picture of the sea."""
    monkeypatch.setattr(attachments, "LATE_SECONDS", 600.0)
    monkeypatch.setattr(attachments, "READ_SECONDS", 600.0)
    conversation, file_id = await desk.library.conversation(), new_id("file")
    await untexted(desk.library.wiring, file_id)
    led = await desk.asked(conversation, "What is this?", file_id)
    async with asyncio.timeout(60):
        response = await desk.assembled(led.message)
    assert "file" not in kept(response)
    assert not missing(response)


async def test_text_that_is_a_moment_late_is_waited_for(desk: Desk) -> None:
    conversation, file_id = await desk.library.conversation(), new_id("file")
    led = await desk.asked(conversation, "Are snakes allowed?", file_id)
    assembling = asyncio.create_task(desk.assembled(led.message))
    await asyncio.sleep(0)
    await indexed(desk.library.wiring, *LEASE, file_id=file_id)
    assert "snakes are not" in told(await assembling)


async def test_a_file_of_the_conversation_is_recalled_by_its_name(desk: Desk) -> None:
    conversation = await desk.library.conversation()
    await indexed(desk.library.wiring, *LEASE, name="lease-2024.pdf", conversation_id=conversation)
    led = await desk.asked(conversation, "What does the lease 2024 start with?")
    assert LEASE[0] in told(await desk.assembled(led.message))


async def test_a_file_of_the_conversation_that_fits_is_recalled(desk: Desk) -> None:
    conversation = await desk.library.conversation()
    await indexed(desk.library.wiring, *LEASE, conversation_id=conversation)
    led = await desk.asked(conversation, "Are snakes allowed?")
    response = await desk.assembled(led.message)
    assert LEASE[2] in told(response)
    assert LEASE[0] not in told(response)


async def test_a_shared_conversation_shows_no_file_of_another(desk: Desk) -> None:
    """What only the sender may read stays out of what others read."""
    conversation, other = await desk.library.conversation(), await desk.library.conversation()
    await indexed(desk.library.wiring, *LEASE, name="lease.pdf", conversation_id=other)
    led = await desk.asked(conversation, "Are snakes allowed in lease.pdf?")
    mine = desk.library.somebody.user_id
    assert LEASE[2] in told(await desk.assembled(led.message))
    assert LEASE[2] not in told(
        await desk.assembled(led.message, participant_ids=[mine, new_id("user")])
    )


async def test_a_file_of_somebody_else_says_nothing(desk: Desk) -> None:
    """Whoever attaches its id, or shares it with their own conversation."""
    file_id = await indexed(desk.library.wiring, *LEASE, name="lease.pdf")
    tenant_id = desk.library.somebody.tenant_id
    for stranger in (desk.as_somebody(tenant_id=tenant_id), desk.as_somebody()):
        with stranger.library.somebody.acts(stranger.library.wiring):
            conversation = await stranger.library.conversation()
            await shared(stranger.library.wiring, conversation, file_id)
            led = await stranger.asked(conversation, "Are snakes allowed in lease.pdf?", file_id)
            assert "file" not in kept(await stranger.assembled(led.message))


async def test_a_turn_with_files_is_replayed_byte_for_byte(desk: Desk) -> None:
    """Until the file is dropped: then it is missing, and that is said."""
    conversation = await desk.library.conversation()
    chunks = pieces(*LEASE, "x" * 3000, "\x02marked\x03 a\0b <b>bold</b>")
    file_id = await indexed(desk.library.wiring, chunks=chunks, name="lease.pdf")
    led = await desk.asked(conversation, "Are marked snakes bold?", file_id)
    response = await desk.assembled(led.message)
    await desk.answered(led, response.bundle.manifest)
    again = await desk.replayed(led.turn.id)
    assert again.identical
    assert again.bundle == response.bundle
    await dropped(desk.library.wiring, file_id)
    without = await desk.replayed(led.turn.id)
    assert (without.identical, list(without.missing_ids)) == (False, [file_id])
    assert "snakes are not" not in without.bundle.messages[0].content


async def test_the_same_turn_gives_the_same_bytes(desk: Desk) -> None:
    conversation = await desk.library.conversation()
    files = [await indexed(desk.library.wiring, *LEASE, name=f"{n}.pdf") for n in range(3)]
    led = await desk.asked(conversation, "Are snakes allowed?", *files)
    first, second = [await desk.assembled(led.message) for _ in range(2)]
    assert first.bundle.messages == second.bundle.messages
    assert "file" in kept(first)


async def test_context_items_are_counted_by_source(desk: Desk) -> None:
    conversation = await desk.library.conversation()
    file_id = await indexed(desk.library.wiring, *LEASE)
    led = await desk.asked(conversation, "Are snakes allowed?", file_id)
    found = (await desk.assembled(led.message)).bundle.manifest.candidates
    assert sum(c.source == ContextSource.CONTEXT_SOURCE_FILE for c in found) == 3
