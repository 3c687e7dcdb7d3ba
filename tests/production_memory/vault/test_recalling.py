"""Memories are recalled by relevance, procedures by similarity; reading changes nothing but what
was put into a prompt."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Unavailable
from servers.runtime.ids import new_id
from tests.hosting import until
from tests.production_memory.memory import refusal
from tests.production_memory.test_reindexing import reindexed
from tests.production_memory.vault.vault import (
    CUT,
    DOMAIN,
    EDITOR,
    EPISODIC,
    KEPT,
    PROCEDURAL,
    SEMANTIC,
    SHORTENED,
    Vault,
    manifest_of,
)
from tests.production_memory.vectors import forget_vectors_of


def retrievals(status: str, kind: str = "any") -> float:
    labels = {"memory_type": kind, "status": status}
    return REGISTRY.get_sample_value("neurovault_retrieval_total", labels) or 0.0


async def test_who_has_no_memory_costs_neither_embedder_nor_milvus(vault: Vault) -> None:
    before, calls = retrievals("empty"), len(vault.turns.embedder.batches)
    assert await vault.recall("What do I drink?") == []
    assert retrievals("empty") == before + 1
    assert len(vault.turns.embedder.batches) == calls


async def test_the_most_relevant_comes_first(vault: Vault) -> None:
    """Half as near, but of much more importance."""
    minor = await vault.remembered("Green tea is pleasant", importance=2)
    major = await vault.remembered("Peanuts are dangerous for me", importance=9)
    await vault.indexed(minor, major)
    query = "What may I have?"
    vault.turns.embedder.similar[query] = (major.content, 0.5)
    found = await vault.recall(query)
    assert found[0].memory == major
    assert found[0].similarity == pytest.approx(0.5, abs=1e-4)
    assert found[0].relevance == pytest.approx(4.5, abs=1e-2)
    assert [each.memory for each in await vault.recall(query, limit=1)] == [major]


async def test_equals_come_in_one_order_always(vault: Vault) -> None:
    memories = [await vault.remembered(f"Fact number {n} of several") for n in range(6)]
    await vault.indexed(*memories)
    found = [[each.memory.id for each in await vault.recall("unrelated")] for _ in range(3)]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 6


async def test_kinds_are_asked_for(vault: Vault) -> None:
    episode = await vault.remembered("Dinner at the harbour", kind=EPISODIC)
    fact = await vault.remembered("Deploys go out on Tuesdays")
    await vault.indexed(episode, fact)
    assert [r.memory for r in await vault.recall("harbour", kinds=[EPISODIC])] == [episode]
    assert [r.memory for r in await vault.recall("harbour", kinds=[SEMANTIC])] == [fact]
    assert await vault.recall("harbour", kinds=[PROCEDURAL]) == []


async def test_what_no_longer_holds_is_not_recalled(vault: Vault) -> None:
    old = await vault.remembered("I live in Paris")
    await vault.indexed(old)
    new = await vault.remembered("I live in Rome")
    await vault.indexed(new)
    assert [r.memory for r in await vault.recall("I live in Paris")] == [new]
    assert [m.id for m in await vault.get(old.id)] == [old.id]


async def test_the_domain_s_and_the_user_s_are_apart(vault: Vault) -> None:
    with vault.colleague(roles=EDITOR):
        shared = await vault.remembered("Deploys go out on Tuesdays", scope=DOMAIN)
    own = await vault.remembered("I deploy on Fridays sometimes")
    await vault.indexed(shared, own)
    assert [r.memory for r in await vault.recall("deploys")] == [own]
    assert [r.memory for r in await vault.recall("deploys", scope=DOMAIN)] == [shared]


async def test_nobody_else_s_memories_are_seen(vault: Vault) -> None:
    """Not by another user of the tenant, nor by the same user id in another tenant."""
    memory = await vault.remembered("Peanuts are dangerous for me")
    await vault.indexed(memory)
    for other in (vault.colleague(), vault.acts(user_id=vault.somebody.user_id)):
        with other:
            assert await vault.recall(memory.content) == []
            assert await vault.procedures(memory.content) == []
            assert await vault.get(memory.id) == []
            assert await vault.memories() == []
            for call in (vault.correct(memory, "Peanuts are fine"), vault.forget(memory)):
                assert (await refusal(call)).reason == Reason.REASON_MEMORY_NOT_FOUND
    assert await vault.get(memory.id) == [memory]


async def test_procedures_are_recalled_by_similarity_alone(vault: Vault) -> None:
    """Of the caller and of the domain; nothing else is one."""
    near = await vault.remembered("Convert first, then upload", kind=PROCEDURAL, importance=1)
    with vault.colleague(roles=EDITOR):
        far = await vault.remembered("Restart the queue, then drain", kind=PROCEDURAL, scope=DOMAIN)
    fact = await vault.remembered("Convert first, then send")
    await vault.indexed(near, far, fact)
    vault.turns.embedder.similar["How to upload?"] = (near.content, 0.8)
    found = await vault.procedures("How to upload?")
    assert [each.memory for each in found] == [near, far]
    assert (await vault.get(near.id))[0].reads == 0


async def test_what_was_put_into_a_prompt_counts_as_read(vault: Vault) -> None:
    """Once for a manifest, however often it is recorded; what was cut was not read."""
    kept = await vault.remembered("Peanuts are dangerous for me")
    short = await vault.remembered("Green tea is pleasant")
    cut = await vault.remembered("Deploys go out on Tuesdays")
    await vault.recall("peanuts")
    await vault.read((kept.id, KEPT), (short.id, SHORTENED), (cut.id, CUT), repeats=3)
    assert [m.reads for m in await vault.get(kept.id, short.id, cut.id)] == [1, 1, 0]
    await vault.read((kept.id, KEPT))
    (memory,) = await vault.get(kept.id)
    assert memory.reads == 2
    assert memory.HasField("last_read_at")


async def test_another_manifest_of_the_same_turn_counts_again(vault: Vault) -> None:
    memory = await vault.remembered("Peanuts are dangerous for me")
    turn = (await vault.turns.begin()).led_turn.turn
    for manifest in (manifest_of((memory.id, KEPT)), manifest_of((memory.id, SHORTENED))):
        await asyncio.gather(*(vault.turns.advance(turn.id, manifest=manifest) for _ in range(3)))
    assert (await vault.get(memory.id))[0].reads == 2


async def test_a_manifest_reads_nobody_else_s_memories(vault: Vault) -> None:
    memory = await vault.remembered("Peanuts are dangerous for me")
    with vault.colleague():
        await vault.read((memory.id, KEPT))
    assert (await vault.get(memory.id))[0].reads == 0


async def test_an_embedder_that_is_away_is_said(vault: Vault) -> None:
    memory = await vault.remembered("Peanuts are dangerous for me")
    before = retrievals("unavailable")
    vault.turns.embedder.failure = Unavailable(Reason.REASON_SERVER_UNAVAILABLE, "starting")
    try:
        for call in (vault.recall("peanuts"), vault.recall("x", limit=50)):
            refused = await refusal(call)
            assert (refused.reason, refused.retryable) == (Reason.REASON_SERVER_UNAVAILABLE, True)
        assert (await vault.remember("Green tea is pleasant")).HasField("memory")
    finally:
        vault.turns.embedder.failure = None
    assert retrievals("unavailable") == before + 2
    await vault.indexed(memory, *(await vault.memories()))


async def test_pages_are_the_latest_first_and_complete(vault: Vault) -> None:
    stated = [await vault.remembered(f"Fact number {n} of several") for n in range(5)]
    first = await vault.page(page_size=2)
    second = await vault.page(page_size=2, page_token=first.next_page_token)
    third = await vault.page(page_size=2, page_token=second.next_page_token)
    listed = [*first.memories, *second.memories, *third.memories]
    assert listed == stated[::-1]
    assert third.next_page_token == ""
    assert await vault.memories(kinds=[EPISODIC]) == []
    refused = await refusal(vault.page(page_token="rubbish"))
    assert refused.reason == Reason.REASON_FIELD_INVALID


async def test_memories_come_in_the_order_asked_for(vault: Vault) -> None:
    one, two = await vault.remembered("Fact number one"), await vault.remembered("Fact number two")
    assert await vault.get(two.id, new_id("mem"), one.id) == [two, one]


async def test_a_vector_that_is_gone_is_no_defect(vault: Vault) -> None:
    """Milvus came back empty: nothing is found until the vectors are made again."""
    memory = await vault.remembered("Peanuts are dangerous for me")
    await vault.indexed(memory)
    settings, tenant_id = vault.turns.wiring.settings, vault.somebody.tenant_id
    await forget_vectors_of(settings, tenant_id, "memories")

    async def nothing() -> bool:
        return await vault.recall("peanuts") == []

    await until(nothing)
    steps = await reindexed(vault.turns)
    assert steps[-1].jobs_left == 0
    await vault.indexed(memory)
    assert (await reindexed(vault.turns, steps[-1].page_token))[-1].queued == 0
