"""Completed turns are learned from, by rules."""

import json

from servers.production_memory.vault.memory_jobs import LearnJob
from tests.production_memory.memory import CANCELLED, FAILED
from tests.production_memory.vault.vault import ASKED, RULES, Vault


async def test_facts_of_a_completed_turn_are_remembered_with_their_evidence(vault: Vault) -> None:
    ended = await vault.turns.exchange("Hi, my name is Ada and I live in Oslo.", "Hello Ada!")
    found = {memory.slot: memory for memory in await vault.learned(2)}
    assert found["name"].content == "The user's name is Ada."
    assert found["home"].content == "The user lives in Oslo."
    for memory in found.values():
        assert memory.origin == RULES
        assert list(memory.evidence_message_ids) == [ended.turn.user_message_id]
        assert memory.conversation_id == vault.turns.conversation_id
    await vault.indexed(*found.values())


async def test_a_turn_with_nothing_to_learn_queues_nothing(vault: Vault) -> None:
    """Neither does one that failed or was called off."""
    await vault.turns.exchange("What is the capital of Norway?", "Oslo.")
    for state in (FAILED, CANCELLED):
        turn_id = (await vault.turns.begin("My name is Ada")).led_turn.turn.id
        await vault.turns.finish(turn_id, "", state=state)
    assert await vault.jobs_left("learn") == 0
    await vault.turns.exchange("I live in Oslo", "Nice.")
    assert [m.slot for m in await vault.learned(1)] == ["home"]


async def test_a_message_is_learned_from_once(vault: Vault) -> None:
    """Its job is taken again when its worker died before it could say that it was done; what was
    forgotten meanwhile stays so."""
    ended = await vault.turns.exchange("My name is Ada. I speak Norwegian.", "Hello!")
    memories = await vault.learned(2)
    await vault.forget(memories[0])
    job = LearnJob(vault.somebody.tenant_id, ended.turn.id)
    connection = await vault.turns.connect()
    await connection.execute(
        "INSERT INTO pgqueuer (priority, entrypoint, payload, status, heartbeat)"
        " VALUES (0, 'learn', $1, 'picked', now() - interval '1 hour')",
        job.payload(),
    )
    await connection.close()
    await vault.turns.exchange("wakes", "the worker")
    await vault.settled("learn")
    assert await vault.memories(include_past=True) == [memories[1]]


async def test_what_the_user_says_later_replaces_what_was_said_before(vault: Vault) -> None:
    await vault.turns.exchange("I live in Oslo", "Nice.")
    await vault.learned(1)
    await vault.turns.exchange("I moved to Bergen", "How is it?")
    await vault.learned(2)
    assert await vault.contents() == ["The user lives in Bergen."]


async def test_a_message_that_is_learned_from_late_does_not_replace_a_newer_one(
    vault: Vault,
) -> None:
    """Both are kept, the older one as what held until then."""
    begun = (await vault.turns.begin("I live in Oslo")).led_turn
    await vault.remember("I moved to Bergen")
    await vault.turns.finish(begun.turn.id, "Nice.")
    newer, older = sorted(await vault.learned(2), key=lambda m: m.HasField("valid_to"))
    assert (newer.content, older.content) == ("I moved to Bergen", "The user lives in Oslo.")
    assert older.replaced_by_memory_id == newer.id
    assert older.valid_to == newer.valid_from


async def test_what_is_to_be_remembered_counts_as_asked_for(vault: Vault) -> None:
    await vault.turns.exchange("Please remember that I take sugar in my tea.", "I will.")
    (memory,) = await vault.learned(1)
    assert (memory.content, memory.origin, memory.importance) == (
        "The user said: I take sugar in my tea.",
        ASKED,
        10,
    )


async def test_what_only_repeats_the_assistant_is_not_learned(vault: Vault) -> None:
    """But the answer to its question is."""
    await vault.turns.exchange("Guess", "You speak Norwegian, it seems.")
    await vault.turns.exchange("I speak Norwegian", "I thought so. Do you live in Oslo?")
    await vault.turns.exchange("I live in Oslo", "Nice.")
    await vault.learned(1)
    await vault.settled("learn")
    assert await vault.contents() == ["The user lives in Oslo."]


async def test_personal_data_is_not_learned(vault: Vault) -> None:
    await vault.turns.exchange("Remember that my mail is jo@example.org today", "I will.")
    (memory,) = await vault.learned(1)
    assert memory.content == "The user said: my mail is [email] today."


async def test_a_job_that_is_none_is_set_aside(vault: Vault) -> None:
    connection = await vault.turns.connect()
    payload = json.dumps({"tenant": vault.somebody.tenant_id}).encode()
    for kind in ("learn", "memories"):
        await connection.execute(
            "INSERT INTO pgqueuer (priority, entrypoint, payload, status)"
            " VALUES (0, $1, $2, 'queued')",
            kind,
            payload,
        )
    await vault.turns.exchange("I live in Oslo", "Nice.")
    await vault.learned(1)
    for kind in ("learn", "memories"):
        await vault.settled(kind)
    failed = await connection.fetchval(
        "SELECT count(*) FROM pgqueuer WHERE status = 'failed' AND payload = $1", payload
    )
    await connection.close()
    assert failed == 2
