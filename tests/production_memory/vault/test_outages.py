"""Stores and models fail: nothing that was acknowledged is lost, what can go on goes on, and who
forgets is told what is still to be done."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Unavailable
from tests.breakable_stores import BreakableStores
from tests.hosting import Somebody, hosting, until
from tests.production_memory.embedder import Embedder
from tests.production_memory.memory import Memory, refusal
from tests.production_memory.vault.test_forgetting import erasures
from tests.production_memory.vault.vault import DUPLICATE, KEPT, STORED, Vault


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BreakableStores]:
    async with BreakableStores(tmp_path_factory.mktemp("breakable")) as stores:
        yield stores


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(breakable: BreakableStores) -> AsyncIterator[Memory]:
    embedder = Embedder()
    others = [embedder.hosted()]
    async with hosting(breakable.settings(), "production_memory", others=others) as wiring:
        yield Memory(wiring, embedder, Somebody())


@pytest.fixture
def fragile(server: Memory) -> Iterator[Vault]:
    with (mine := server.as_somebody()).somebody.acts(mine.wiring):
        yield Vault(mine)


async def test_without_milvus_memories_are_kept_and_found_once_it_is_back(
    fragile: Vault, breakable: BreakableStores
) -> None:
    """Remembered, listed, corrected and read; recall says what is away."""
    await fragile.remember("I live in Oslo")
    await breakable.kill("milvus")
    said = await fragile.remember("Peanuts are dangerous for me")
    assert said.outcome == STORED
    assert (await fragile.remember("Peanuts are dangerous for me")).outcome == DUPLICATE
    refused = await refusal(fragile.recall("peanuts"))
    assert (refused.reason, refused.retryable) == (Reason.REASON_STORE_UNAVAILABLE, True)
    assert refused.details["store"] == "milvus"
    await fragile.read((said.memory.id, KEPT))
    corrected = (await fragile.correct(said.memory, "Walnuts are dangerous for me")).memory
    assert len(await fragile.memories()) == 2
    await breakable.start("milvus")
    await fragile.indexed(*(await fragile.memories()))
    assert corrected.id in {each.memory.id for each in await fragile.recall("walnuts")}


async def test_without_milvus_forgetting_is_done_as_soon_as_it_is_back(
    fragile: Vault, breakable: BreakableStores
) -> None:
    """The receipt says which store is to follow; the memory is gone for everybody at once."""
    memory = await fragile.remembered("Peanuts are dangerous for me")
    await fragile.indexed(memory)
    await breakable.kill("milvus")
    receipt = await fragile.forget(memory)
    assert erasures(receipt) == {"postgres": (1, True), "milvus": (0, False), "redis": (0, True)}
    assert await fragile.get(memory.id) == []
    await breakable.start("milvus")

    async def done() -> bool:
        return erasures(await fragile.receipt(receipt.id))["milvus"] == (1, True)

    await until(done)
    assert await fragile.vectors() == {}


async def test_a_milvus_that_says_nothing_holds_nobody_up_for_long(
    fragile: Vault, breakable: BreakableStores
) -> None:
    """Whoever remembers and forgets is answered within the deadline of the call."""
    first = await fragile.remembered("Peanuts are dangerous for me")
    await fragile.indexed(first)
    breakable.freeze("milvus")
    try:
        assert (await fragile.remember("Green tea is pleasant")).outcome == STORED
        receipt = await fragile.forget(first)
        assert not erasures(receipt)["milvus"][1]
    finally:
        breakable.thaw("milvus")

    async def done() -> bool:
        return erasures(await fragile.receipt(receipt.id))["milvus"][1]

    await until(done, 60)
    await fragile.indexed(*(await fragile.memories()))


async def test_without_an_embedder_vectors_are_made_later(fragile: Vault) -> None:
    fragile.turns.embedder.failure = Unavailable(Reason.REASON_SERVER_UNAVAILABLE, "starting")
    memory = await fragile.remembered("Peanuts are dangerous for me")
    gone = await fragile.remembered("Green tea is pleasant")
    receipt = await fragile.forget(gone)
    assert erasures(receipt)["milvus"] == (1, True)
    fragile.turns.embedder.failure = None
    await fragile.indexed(memory)


async def test_a_request_repeated_over_an_outage_is_done_once(
    fragile: Vault, breakable: BreakableStores
) -> None:
    first = await fragile.remembered("Peanuts are dangerous for me", request_id="r1")
    await breakable.kill("postgres")
    calls = (
        fragile.remember("Peanuts are dangerous for me", request_id="r1"),
        fragile.recall("peanuts"),
        fragile.forget(first, request_id="f1"),
    )
    for call in calls:
        assert (await refusal(call)).reason == Reason.REASON_STORE_UNAVAILABLE
    await breakable.start("postgres")
    again = await fragile.remembered("Peanuts are dangerous for me", request_id="r1")
    assert again.id == first.id
    assert len(await fragile.memories()) == 1
    receipts = [await fragile.forget(first, request_id="f1") for _ in range(2)]
    assert receipts[0].id == receipts[1].id
    assert await fragile.memories() == []


async def test_facts_of_a_turn_are_learned_after_an_outage(
    fragile: Vault, breakable: BreakableStores
) -> None:
    """What was acknowledged before the power failed is learned from after it."""
    await fragile.turns.exchange("I live in Oslo", "Nice.")
    await breakable.kill("postgres")
    await breakable.start("postgres")

    async def found() -> bool:
        try:
            return [m.slot for m in await fragile.memories()] == ["home"]
        except Exception:  # noqa: BLE001  # it is still starting
            return False

    await until(found, 60)
