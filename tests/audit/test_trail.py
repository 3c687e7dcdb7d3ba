"""The audit server on a real Postgres: one trail for all, so these tests share one database."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from kari.audit.v1.audit_pb2 import (
    AppendRequest,
    Damage,
    ListRecordsRequest,
    ListRecordsResponse,
    Verdict,
    VerifyRequest,
)
from kari.audit.v1.audit_pb2_grpc import AuditServiceStub
from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome
from kari.errors.v1.errors_pb2 import Reason
from servers.audit.checkpoint import WRITE_SECONDS
from servers.runtime import private_files
from servers.runtime.audit_trail import AuditTrail
from servers.runtime.channels import Channels
from servers.runtime.ids import new_id
from servers.runtime.mesh_key import OPERATOR
from servers.runtime.settings import Settings
from servers.wiring import Wiring, contract_of
from tests.breakable_stores import BreakableStores
from tests.hosting import hosting, until
from tests.production_memory.memory import refusal
from tests.stream_processor.conditions import metric


class Books:
    """The server, and the database behind its back."""

    def __init__(self, wiring: Wiring, stores: BreakableStores) -> None:
        channels = Channels(OPERATOR, frozenset({"audit"}), wiring.address_of, wiring.mesh_key)
        self.stub = AuditServiceStub(channels.to("audit", contract_of("audit")))
        self.stores = stores
        self.checkpoint = wiring.settings.data / "audit.checkpoint"
        self._url = wiring.settings.postgres_url

    async def append(self, *entries: AuditEntry) -> list[int]:
        """Keeps entries; gives their places."""
        return list((await self.stub.Append(AppendRequest(entries=entries))).sequences)

    async def verdict(self) -> Verdict:
        """Whether the trail is whole."""
        steps = [step async for step in self.stub.Verify(VerifyRequest())]
        assert all(not step.HasField("verdict") for step in steps[:-1])
        return steps[-1].verdict

    async def page(self, **fields: Any) -> ListRecordsResponse:
        """A page of records."""
        return await self.stub.ListRecords(ListRecordsRequest(**fields))

    async def owner(self, *statements: str) -> None:
        """What somebody with all rights in the database does."""
        assert isinstance(self._url, SecretStr)
        connection = await asyncpg.connect(self._url.get_secret_value())
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


UNLOCK = "ALTER TABLE audit.records DISABLE TRIGGER append_only"
EMPTY = (
    UNLOCK,
    "ALTER TABLE audit.head DISABLE TRIGGER kept",
    "TRUNCATE audit.records, audit.head",
    "ALTER TABLE audit.records ENABLE TRIGGER append_only",
    "ALTER TABLE audit.head ENABLE TRIGGER kept",
)


@pytest.fixture
def trail_settings(trail_stores: BreakableStores, tmp_path: Path) -> Settings:
    """Those of a server with keys of its own."""
    return trail_stores.settings().model_copy(update={"data": tmp_path / "data"})


@pytest_asyncio.fixture
async def books(trail_stores: BreakableStores, trail_settings: Settings) -> AsyncIterator[Books]:
    """A trail of its own."""
    async with hosting(trail_settings, "audit") as wiring:
        made = Books(wiring, trail_stores)
        await made.owner(*EMPTY)
        yield made


def happened(**fields: Any) -> AuditEntry:
    """Something that happened."""
    given = {
        "id": new_id("rec"),
        "action": "tool.call",
        "outcome": AuditOutcome.AUDIT_OUTCOME_DONE,
    } | fields
    made = AuditEntry(**given)
    made.happened_at.GetCurrentTime()
    return made


async def test_records_are_kept_in_order_and_verified(books: Books) -> None:
    """From several at once; each has its place, none is lost, and what was given comes back."""
    assert (await books.verdict()).whole
    entries = [happened(details={"n": str(n)}, resource="tool.clock") for n in range(40)]
    places = await asyncio.gather(*(books.append(entry) for entry in entries))
    assert sorted(place for (place,) in places) == list(range(1, 41))
    assert (await books.verdict()).whole
    records = (await books.page(page_size=100)).records
    assert [r.sequence for r in records] == list(range(1, 41))
    assert {r.entry.details["n"] for r in records} == {str(n) for n in range(40)}
    assert {r.server for r in records} == {OPERATOR}


async def test_a_repeated_entry_is_kept_once(books: Books) -> None:
    """Also within a request."""
    one, two = happened(), happened()
    assert await books.append(one) == [1]
    assert await books.append(one, two, two) == [1, 2, 2]
    assert (await books.verdict()).whole


async def test_two_servers_write_one_trail(books: Books, trail_settings: Settings) -> None:
    """Each goes on from where the other left off, what one sends again to the other is known."""
    async with hosting(trail_settings, "audit") as other:
        both = books, Books(other, books.stores)
        entries = [happened() for _ in range(60)]
        places = await asyncio.gather(
            *(both[n % 2].append(entry) for n, entry in enumerate(entries))
        )
        assert sorted(place for (place,) in places) == list(range(1, 61))
        again = [await both[1 - n % 2].append(entry) for n, entry in enumerate(entries[:6])]
        assert again == places[:6]
        assert (await books.verdict()).whole


async def test_names_that_somebody_made_up_are_kept_as_far_as_postgres_can(books: Books) -> None:
    """U+0000 is not for Postgres; such a record is not lost and keeps no other from being kept."""
    odd = happened(resource="a\0b", reason="\0", details={"k\0": "v\0"})
    places = await asyncio.gather(*(books.append(each) for each in (happened(), odd, happened())))
    assert sorted(place for (place,) in places) == [1, 2, 3]
    (kept,) = [r.entry for r in (await books.page()).records if r.entry.id == odd.id]
    assert (kept.resource, dict(kept.details)) == ("a\ufffdb", {"k\ufffd": "v\ufffd"})
    assert (await books.verdict()).whole


async def test_a_record_that_the_trail_refuses_holds_up_none_behind_it(books: Books) -> None:
    """It is logged and counted as lost; those before and behind it are kept."""
    trail = AuditTrail(lambda entries: books.append(*entries))
    reported = [happened(), happened(resource="x" * 201), happened()]
    for each in reported:
        trail.report(each)
    await trail.flush()
    kept = [record.entry.id for record in (await books.page()).records]
    assert kept == [reported[0].id, reported[2].id]


async def test_pages_and_filters(books: Books) -> None:
    """From the end, from a place on, by tenant, user and action."""
    await books.append(*(happened(tenant_id=f"tenant_{n % 2}", user_id=f"u{n}") for n in range(6)))
    await books.append(happened(action="code.run"))
    assert [r.sequence for r in (await books.page(after_sequence=-2)).records] == [6, 7]
    assert [r.sequence for r in (await books.page(tenant_id="tenant_1")).records] == [2, 4, 6]
    assert [r.sequence for r in (await books.page(user_id="u3")).records] == [4]
    assert [r.sequence for r in (await books.page(action_prefix="code.")).records] == [7]
    last = await books.page(after_sequence=-2, tenant_id="tenant_1")
    assert [r.sequence for r in last.records] == [4, 6]
    assert (await books.page(after_sequence=-9, user_id="nobody")).through_sequence == 7
    page = await books.page(page_size=3)
    assert page.through_sequence == 3
    rest = await books.page(page_size=5, after_sequence=page.through_sequence)
    assert [r.sequence for r in rest.records] == [4, 5, 6, 7]
    assert (await books.page(after_sequence=7)).through_sequence == 7


@pytest.mark.parametrize(
    ("statement", "place", "damage"),
    [
        ("UPDATE audit.records SET user_id = 'x' WHERE sequence = 3", 3, Damage.DAMAGE_CHANGED),
        ("DELETE FROM audit.records WHERE sequence = 3", 3, Damage.DAMAGE_REMOVED),
        ("DELETE FROM audit.records WHERE sequence > 3", 4, Damage.DAMAGE_CUT_OFF),
        (
            "UPDATE audit.records SET sequence = CASE sequence WHEN 3 THEN 104 ELSE 103 END"
            " WHERE sequence IN (3, 4);"
            "UPDATE audit.records SET sequence = sequence - 100 WHERE sequence > 100",
            3,
            Damage.DAMAGE_REORDERED,
        ),
    ],
    ids=["changed", "removed", "cut off", "swapped"],
)
async def test_what_somebody_with_all_rights_did_is_found(
    books: Books, statement: str, place: int, damage: int
) -> None:
    """And named."""
    await books.append(*(happened(user_id=f"u{n}") for n in range(6)))
    await books.owner(UNLOCK, statement)
    verdict = await books.verdict()
    assert (verdict.first_broken_sequence, verdict.damage) == (place, damage)


async def checkpointed(books: Books) -> Path:
    """The file that remembers the end of the trail, once it does."""
    last = (await books.page(after_sequence=-1)).through_sequence

    async def there() -> bool:
        file = books.checkpoint
        return file.exists() and json.loads(file.read_text())["sequence"] == last

    await until(there)
    return books.checkpoint


async def test_a_trail_that_was_emptied_is_missed(books: Books) -> None:
    """By what is remembered outside of the database; also once a new one has grown as long."""
    await books.append(*(happened() for _ in range(6)))
    file = await checkpointed(books)
    assert (await books.verdict()).whole
    await books.owner(*EMPTY)
    verdict = await books.verdict()
    assert (verdict.first_broken_sequence, verdict.damage) == (1, Damage.DAMAGE_CUT_OFF)
    await books.append(*(happened() for _ in range(4)))
    assert (await books.verdict()).first_broken_sequence == 5
    await books.append(*(happened() for _ in range(4)))
    verdict = await books.verdict()
    assert (verdict.first_broken_sequence, verdict.damage) == (6, Damage.DAMAGE_CHANGED)
    assert json.loads(file.read_text())["sequence"] == 6


async def test_a_checkpoint_that_somebody_changed_is_found(books: Books) -> None:
    """It has a code of its own, and one that says nothing is none."""
    await books.append(*(happened() for _ in range(3)))
    file = await checkpointed(books)
    told = json.loads(file.read_text())
    numbers = (2, -1, 2**63, float("inf"))
    for changed in (*(json.dumps(told | {"sequence": n}) for n in numbers), "", "[]"):
        file.write_text(changed)
        verdict = await books.verdict()
        assert (verdict.whole, verdict.damage) == (False, Damage.DAMAGE_FORGED)
        assert "audit.checkpoint" in verdict.explanation
    assert os.stat(file).st_mode & 0o077 == 0


async def test_who_finds_another_at_the_checkpoint_comes_again(books: Books) -> None:
    """Between reading it and writing it nobody else writes."""
    with private_files.alone(books.checkpoint):
        await books.append(happened())
        await asyncio.sleep(2 * WRITE_SECONDS)
        assert not books.checkpoint.exists()
    await checkpointed(books)


async def test_a_trail_without_records_says_that_it_has_none(books: Books) -> None:
    """It is not called whole without a word."""
    verdict = await books.verdict()
    assert verdict.explanation.startswith("0 records: nothing was ever written, or all of it")


async def test_a_forged_end_is_told_by_whoever_writes_behind_it(books: Books) -> None:
    """The records go on; that the end was not ours is counted."""
    one = happened()
    await books.append(one)
    await books.owner("UPDATE audit.head SET mac = '\\x00'")
    before = metric("kari_audit_damage_total")
    # One that is known has the end looked up again.
    await books.append(one)
    assert metric("kari_audit_damage_total") == before + 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.head SET (sequence, code) = (SELECT sequence, mac FROM audit.records "
        "WHERE sequence = 2)",
        "DELETE FROM audit.head",
    ],
    ids=["moved back", "gone"],
)
async def test_an_end_that_was_moved_locks_nobody_out(books: Books, statement: str) -> None:
    """Records go on behind the last one; it is counted."""
    one = happened()
    await books.append(happened(), happened(), happened(), one)
    await books.owner(UNLOCK, "ALTER TABLE audit.head DISABLE TRIGGER USER", statement)
    before = metric("kari_audit_damage_total")
    # One that is known has the end looked up again.
    await books.append(one)
    assert await books.append(happened()) == [5]
    assert metric("kari_audit_damage_total") > before
    assert (await books.verdict()).whole


@pytest.mark.parametrize(
    "change",
    [
        """details = '{"call": 5}'""",
        """details = '{"call": null}'""",
        """details = '"x"'""",
        "happened_at = 'infinity'",
        "outcome = -2000000000",
    ],
)
async def test_a_row_that_is_no_record_any_more_is_named(books: Books, change: str) -> None:
    """And hides nothing of those around it."""
    await books.append(*(happened(user_id=f"u{n}") for n in range(4)))
    await books.owner(UNLOCK, f"UPDATE audit.records SET {change} WHERE sequence = 3")
    verdict = await books.verdict()
    assert (verdict.first_broken_sequence, verdict.damage) == (3, Damage.DAMAGE_CHANGED)
    records = (await books.page(page_size=10)).records
    assert [record.entry.user_id for record in records if record.sequence != 3] == [
        "u0",
        "u1",
        "u3",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.records SET user_id = 'x'",
        "DELETE FROM audit.records",
        "TRUNCATE audit.records",
        "DELETE FROM audit.head",
    ],
)
async def test_the_table_is_only_appended_to(books: Books, statement: str) -> None:
    """Not even its owner changes it by mistake."""
    await books.append(happened())
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="appended"):
        await books.owner(statement)


async def test_a_postgres_that_is_away_is_said_and_nothing_is_lost(books: Books) -> None:
    """Who reports is told to try again, and the chain goes on where it was."""
    await books.append(happened())
    entry = happened()
    await books.stores.kill("postgres")
    refused = await refusal(books.stub.Append(AppendRequest(entries=[entry])))
    assert (refused.reason, refused.retryable) == (Reason.REASON_STORE_UNAVAILABLE, True)
    await books.stores.start("postgres")
    assert await books.append(entry) == [2]
    assert (await books.verdict()).whole


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"id": "mine"}, "id"),
        ({"outcome": AuditOutcome.AUDIT_OUTCOME_UNSPECIFIED}, "outcome"),
        ({"action": ""}, "action"),
        ({"details": {"k": "v" * 1001}}, "details"),
    ],
)
async def test_entries_that_break_the_contract_are_refused(
    books: Books, fields: dict[str, Any], wrong: str
) -> None:
    """The field is named."""
    refused = await refusal(books.append(happened(**fields)))
    assert wrong in str(refused)
