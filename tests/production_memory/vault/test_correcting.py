"""A correction takes the place of a memory; what held before is kept as that."""

from kari.errors.v1.errors_pb2 import Reason
from tests.production_memory.memory import refusal
from tests.production_memory.vault.vault import ASKED, DOMAIN, EDITOR, EPISODIC, Vault


async def test_a_correction_is_a_new_version(vault: Vault) -> None:
    old = await vault.remembered("Dinner at the harbour", kind=EPISODIC, importance=4)
    await vault.indexed(old)
    done = await vault.correct(old, "Lunch at the harbour")
    assert (done.memory.content, done.memory.kind, done.memory.importance) == (
        "Lunch at the harbour",
        EPISODIC,
        4,
    )
    assert done.memory.origin == ASKED
    assert (done.replaced.id, done.replaced.replaced_by_memory_id) == (old.id, done.memory.id)
    assert done.replaced.valid_to == done.memory.valid_from
    assert await vault.memories() == [done.memory]
    await vault.indexed(done.memory)


async def test_a_repeated_correction_gives_the_first_one(vault: Vault) -> None:
    old = await vault.remembered("Dinner at the harbour")
    first = await vault.correct(old, "Lunch at the harbour", request_id="c1")
    assert await vault.correct(old, "Lunch at the harbour", request_id="c1") == first
    refused = await refusal(vault.correct(old, "Supper at the harbour", request_id="c1"))
    assert refused.reason == Reason.REASON_REQUEST_ID_REUSED


async def test_what_no_longer_holds_is_not_corrected(vault: Vault) -> None:
    old = await vault.remembered("Dinner at the harbour")
    new = (await vault.correct(old, "Lunch at the harbour")).memory
    refused = await refusal(vault.correct(old, "Supper at the harbour"))
    assert refused.reason == Reason.REASON_VERSION_CONFLICT
    assert refused.details["memory_id"] == new.id


async def test_a_correction_keeps_what_the_memory_is_about(vault: Vault) -> None:
    """So that the next statement about it contradicts it still."""
    old = await vault.remembered("I live in Paris")
    new = (await vault.correct(old, "Home is Lyon, near the river")).memory
    assert new.slot == "home"
    await vault.remember("I moved to Oslo")
    assert await vault.contents() == ["I moved to Oslo"]


async def test_a_correction_that_others_contradict_takes_their_place_too(vault: Vault) -> None:
    home = await vault.remembered("I live in Paris")
    tea = await vault.remembered("I take sugar in my tea")
    done = await vault.correct(tea, "I live in Rome")
    assert await vault.memories() == [done.memory]
    assert [m.replaced_by_memory_id for m in await vault.get(home.id, tea.id)] == [
        done.memory.id,
        done.memory.id,
    ]


async def test_a_correction_into_what_is_known_joins_the_two(vault: Vault) -> None:
    known = await vault.remembered("I take milk in my tea")
    wrong = await vault.remembered("I take sugar in my tea")
    done = await vault.correct(wrong, "I take milk in my tea")
    assert (done.memory.id, done.replaced.id) == (known.id, wrong.id)
    assert await vault.contents() == ["I take milk in my tea"]


async def test_a_correction_without_a_change_changes_nothing(vault: Vault) -> None:
    memory = await vault.remembered("I take sugar in my tea")
    done = await vault.correct(memory, memory.content)
    assert (done.memory.id, done.HasField("replaced")) == (memory.id, False)


async def test_personal_data_is_not_stored_by_a_correction(vault: Vault) -> None:
    memory = await vault.remembered("I take sugar in my tea")
    done = await vault.correct(memory, "Write to jo@example.org about tea")
    assert done.memory.content == "Write to [email] about tea"


async def test_what_the_domain_knows_is_corrected_and_forgotten_with_the_role(
    vault: Vault,
) -> None:
    with vault.colleague(roles=EDITOR):
        memory = await vault.remembered("Deploys go out on Tuesdays", scope=DOMAIN)
    for call in (vault.correct(memory, "Deploys go out on Fridays"), vault.forget(memory)):
        assert (await refusal(call)).reason == Reason.REASON_ROLE_MISSING
    with vault.colleague(roles=EDITOR):
        memory = (await vault.correct(memory, "Deploys go out on Fridays")).memory
        assert memory.scope == DOMAIN
        await vault.forget(memory)
    assert await vault.memories(scope=DOMAIN, include_past=True) == []
