"""What is forgotten is gone, all versions of it, and nothing brings it back."""

import asyncio

from kari.errors.v1.errors_pb2 import Reason
from servers.production_memory.vault.memory_jobs import MemoryJob
from servers.runtime import remembering, tokens
from servers.runtime.ids import new_id
from tests.production_memory.memory import refusal
from tests.production_memory.vault.vault import Vault


def erasures(receipt: object) -> dict[str, tuple[int, bool]]:
    return {e.store: (e.erased, e.done) for e in receipt.erasures}


async def rows_with(vault: Vault, text: str) -> int:
    """Rows of all tables of memories, and jobs, in which a text stands."""
    connection = await vault.turns.connect(vault.somebody.tenant_id)
    count = await connection.fetchval(
        "SELECT (SELECT count(*) FROM memories AS t WHERE t::text LIKE $1)"
        " + (SELECT count(*) FROM memory_requests AS t WHERE t::text LIKE $1)"
        " + (SELECT count(*) FROM forget_receipts AS t WHERE t::text LIKE $1)"
        " + (SELECT count(*) FROM pgqueuer WHERE convert_from(payload, 'UTF8') LIKE $1)",
        f"%{text}%",
    )
    await connection.close()
    return count


async def digests(vault: Vault) -> int:
    """Requests that still say what was asked, by a digest."""
    connection = await vault.turns.connect(vault.somebody.tenant_id)
    count = await connection.fetchval("SELECT count(*) FROM memory_requests WHERE digest <> ''")
    await connection.close()
    return count


async def test_a_forgotten_memory_is_gone_everywhere_with_its_versions(vault: Vault) -> None:
    first = await vault.remembered("I live in Paris")
    second = await vault.remembered("I live in Rome")
    third = (await vault.correct(second, "I live in Rome, Trastevere")).memory
    other = await vault.remembered("I take sugar in my tea")
    await vault.indexed(third, other)
    receipt = await vault.forget(third)
    assert set(receipt.memory_ids) == {first.id, second.id, third.id}
    assert erasures(receipt) == {"postgres": (3, True), "milvus": (3, True), "redis": (0, True)}
    assert set(await vault.vectors()) == {other.id}
    assert await vault.memories(include_past=True) == [other]
    assert await vault.get(first.id, second.id, third.id) == []
    assert await rows_with(vault, "Rome") == 0
    assert await digests(vault) == 1
    assert await vault.receipt(receipt.id) == receipt


async def test_an_earlier_version_takes_the_later_ones_with_it(vault: Vault) -> None:
    first = await vault.remembered("I live in Paris")
    await vault.remember("I live in Rome")
    assert len((await vault.forget(first)).memory_ids) == 2
    assert await vault.memories(include_past=True) == []


async def test_all_are_forgotten_or_none(vault: Vault) -> None:
    memory = await vault.remembered("I take sugar in my tea")
    with vault.colleague():
        other = await vault.remembered("I take milk in my tea")
    unknown = type(memory)(id=new_id("mem"))
    for wrong in (other, unknown):
        refused = await refusal(vault.forget(memory, wrong))
        assert refused.reason == Reason.REASON_MEMORY_NOT_FOUND
    assert await vault.get(memory.id) == [memory]


async def test_a_repeated_request_gives_the_first_receipt(vault: Vault) -> None:
    memory, other = (
        await vault.remembered("I take sugar in my tea"),
        await vault.remembered("I take milk in my coffee"),
    )
    receipts = await asyncio.gather(*(vault.forget(memory, request_id="f1") for _ in range(4)))
    assert len({receipt.id for receipt in receipts}) == 1
    refused = await refusal(vault.forget(other, request_id="f1"))
    assert refused.reason == Reason.REASON_REQUEST_ID_REUSED
    assert (await refusal(vault.forget(memory))).reason == Reason.REASON_MEMORY_NOT_FOUND


async def test_a_receipt_is_its_user_s(vault: Vault) -> None:
    receipt = await vault.forget(await vault.remembered("I take sugar in my tea"))
    for other in (vault.colleague(), vault.acts(user_id=vault.somebody.user_id)):
        with other:
            refused = await refusal(vault.receipt(receipt.id))
            assert refused.reason == Reason.REASON_RECEIPT_NOT_FOUND


async def test_a_request_of_before_does_not_bring_it_back(vault: Vault) -> None:
    """A client that tries again what it stated; stating it anew is remembered."""
    memory = await vault.remembered("I take sugar in my tea", request_id="r1")
    await vault.forget(memory)
    refused = await refusal(vault.remember("I take sugar in my tea", request_id="r1"))
    assert refused.reason == Reason.REASON_MEMORY_NOT_FOUND
    assert await vault.memories() == []
    assert (await vault.remember("I take sugar in my tea")).HasField("memory")


async def test_a_late_job_brings_no_vector_back(vault: Vault) -> None:
    """One that was queued, or whose worker died, before the memory was forgotten."""
    memory = await vault.remembered("I take sugar in my tea")
    await vault.indexed(memory)
    await vault.forget(memory)
    job = MemoryJob(vault.somebody.tenant_id, (memory.id,))
    connection = await vault.turns.connect()
    for status in ("queued", "picked"):
        await connection.execute(
            "INSERT INTO pgqueuer (priority, entrypoint, payload, status, heartbeat)"
            " VALUES (0, 'memories', $1, $2::text::pgqueuer_status, now() - interval '1 hour')",
            job.payload(),
            status,
        )
    await connection.close()
    await vault.turns.exchange("wakes", "the worker")
    await vault.settled("memories")
    assert await vault.vectors() == {}


async def test_forgetting_waits_for_a_vector_that_is_being_written(vault: Vault) -> None:
    """Else it would be erased before it is there."""
    memory = await vault.remembered("I take sugar in my tea")
    await vault.indexed(memory)
    writer = await vault.turns.connect(vault.somebody.tenant_id)
    writing = writer.transaction()
    await writing.start()
    await writer.execute("SELECT id FROM memories WHERE id = $1 FOR KEY SHARE", memory.id)
    forgetting = asyncio.create_task(vault.forget(memory))
    await asyncio.sleep(0.3)
    assert not forgetting.done()
    await writing.rollback()
    await writer.close()
    assert erasures(await forgetting)["milvus"] == (1, True)


async def test_who_forgets_waits_for_no_colleague_who_does(vault: Vault) -> None:
    """One of them waits for a vector that is being written, for as long as Milvus takes."""
    memory = await vault.remembered("I take sugar in my tea")
    await vault.indexed(memory)
    writer = await vault.turns.connect(vault.somebody.tenant_id)
    writing = writer.transaction()
    await writing.start()
    await writer.execute("SELECT id FROM memories WHERE id = $1 FOR KEY SHARE", memory.id)
    forgetting = asyncio.create_task(vault.forget(memory))
    with vault.colleague():
        other = await vault.remembered("I take milk in my tea")
        async with asyncio.timeout(5):
            assert list((await vault.forget(other)).memory_ids) == [other.id]
    assert not forgetting.done()
    await writing.rollback()
    await writer.close()
    assert list((await forgetting).memory_ids) == [memory.id]


async def test_nothing_of_it_is_remembered_in_this_process(vault: Vault) -> None:
    """What was computed of its text is computed again."""
    memory = await vault.remembered("I take sugar in my tea")
    tokens.count(memory.content, 1)
    held = sum(len(known._found) for known in remembering._ALL)
    assert held > 0
    assert memory.content not in repr([known._found for known in remembering._ALL])
    await vault.forget(memory)
    assert sum(len(known._found) for known in remembering._ALL) == 0
