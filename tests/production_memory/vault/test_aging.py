"""What is due is consolidated or archived, of every tenant, also by several workers at once."""

import asyncio
from datetime import timedelta

from prometheus_client import REGISTRY

from kari.conversation_models.v1.memory_pb2 import Memory
from servers.production_memory.jobs import Jobs
from servers.production_memory.vault.aging import Aging
from servers.production_memory.vault.writing import utc_now
from tests.hosting import until
from tests.production_memory.vault.vault import (
    CONSOLIDATED,
    EPISODIC,
    KEPT,
    SEMANTIC,
    Vault,
)


def faded(change: str) -> float:
    return REGISTRY.get_sample_value("neurovault_faded_total", {"change": change}) or 0.0


def aging(vault: Vault, hours: float = 0.0) -> Aging:
    """A worker whose clock is ahead by so many hours."""
    database = vault.turns.wiring.resources._known["postgres.production_memory"]
    return Aging(database, Jobs(), lambda: utc_now() + timedelta(hours=hours))


async def aged(vault: Vault, hours: float = 0.0) -> None:
    """Everything that is due then has been looked at."""
    while await aging(vault, hours).step():
        pass


async def one(vault: Vault, memory: Memory) -> Memory:
    (found,) = await vault.get(memory.id)
    return found


async def test_an_episode_that_was_read_twice_becomes_knowledge_after_a_day(vault: Vault) -> None:
    memory = await vault.remembered("Dinner at the harbour", kind=EPISODIC, importance=6)
    for _ in range(2):
        await vault.read((memory.id, KEPT))
    await aged(vault)
    assert (await one(vault, memory)).kind == EPISODIC
    await vault.age(memory, 24.1)
    await aged(vault)
    found = await one(vault, memory)
    assert (found.kind, found.origin, found.reads) == (SEMANTIC, CONSOLIDATED, 2)

    async def moved() -> bool:
        return (await vault.vectors())[memory.id]["kind"] == "semantic"

    await vault.indexed(memory)
    await vault.turns.exchange("wakes", "the worker")
    await until(moved)


async def test_what_has_faded_is_archived_not_deleted(vault: Vault) -> None:
    """An episode of importance 2 after ln(20) / 0.12 = 25 hours."""
    memory = await vault.remembered("Rain at the harbour", kind=EPISODIC, importance=2)
    await vault.age(memory, 24.9)
    await aged(vault)
    assert not (await one(vault, memory)).archived
    before = faded("archived")
    await vault.age(memory, 0.2)
    await aged(vault)
    assert (await one(vault, memory)).archived
    assert faded("archived") == before + 1
    assert [m.archived for m in await vault.memories()] == [True]


async def test_an_archived_memory_comes_back_to_who_names_it(vault: Vault) -> None:
    memory = await vault.remembered("Rain at the harbour", kind=EPISODIC, importance=2)
    await vault.indexed(memory)
    await vault.age(memory, 48)
    await aged(vault)
    similar = vault.turns.embedder.similar
    similar["vaguely"], similar["nearly"] = (memory.content, 0.59), (memory.content, 0.61)
    assert await vault.recall("vaguely") == []
    (found,) = await vault.recall("nearly")
    assert found.memory.archived
    await vault.read((memory.id, KEPT))
    await aged(vault)
    assert not (await one(vault, memory)).archived
    assert len(await vault.recall("vaguely")) == 1
    await vault.age(memory, 25)
    await aged(vault)
    assert (await one(vault, memory)).archived


async def test_a_memory_that_is_stated_again_is_young_again(vault: Vault) -> None:
    memory = await vault.remembered("Rain at the harbour", kind=EPISODIC, importance=2)
    await vault.age(memory, 48)
    await aged(vault)
    await vault.remember("Rain at the harbour!", kind=EPISODIC)
    await aged(vault)
    assert not (await one(vault, memory)).archived
    await aged(vault, hours=26)
    assert (await one(vault, memory)).archived


async def test_several_workers_at_once_look_at_each_memory_once(vault: Vault) -> None:
    memories = [
        await vault.remembered(f"Episode number {n} of several", kind=EPISODIC, importance=1)
        for n in range(12)
    ]
    for memory in memories:
        await vault.age(memory, 100)
    before = faded("archived")
    await asyncio.gather(*(aged(vault) for _ in range(4)))
    assert faded("archived") == before + 12
    assert all(memory.archived for memory in await vault.get(*(m.id for m in memories)))


async def test_other_tenants_age_as_well(vault: Vault) -> None:
    memory = await vault.remembered("Rain at the harbour", kind=EPISODIC, importance=1)
    await vault.age(memory, 100)
    with vault.acts():
        await aged(vault)
    assert (await one(vault, memory)).archived
