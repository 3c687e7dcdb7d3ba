"""The chain of records: pure, so no event loop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kari.audit.v1.audit_pb2 import Damage, Record
from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome
from servers.audit.chain import Key, chained
from servers.audit.verification import Head, Verification

KEY = Key(b"k" * 64)
OTHER_KEY = Key(b"o" * 64)


def entry(number: int, **fields: str) -> AuditEntry:
    """Something that happened."""
    made = AuditEntry(
        id=f"rec_{number:032x}",
        action="tool.call",
        outcome=AuditOutcome.AUDIT_OUTCOME_DONE,
        **fields,
    )
    made.happened_at.FromMicroseconds(number)
    return made


def trail(length: int) -> list[Record]:
    """Records as they were written."""
    return chained(KEY, Record(), "tools", [entry(n) for n in range(1, length + 1)])


def head_of(records: list[Record]) -> Head | None:
    """The end of a trail."""
    if not records:
        return None
    last = records[-1]
    return Head(last.sequence, last.mac, KEY.head(last.sequence, last.mac))


def broken(records: list[Record], head: Head | None) -> tuple[int, int]:
    """Place and damage of the first broken record; zeros if the trail is whole."""
    verification = Verification(KEY, head)
    verdict = verification.look(records) or verification.end()
    assert verdict.whole == (verdict.damage == Damage.DAMAGE_UNSPECIFIED)
    assert verdict.whole or str(verdict.first_broken_sequence) in verdict.explanation
    return verdict.first_broken_sequence, verdict.damage


@given(st.integers(0, 20))
def test_a_trail_that_nobody_touched_is_whole(length: int) -> None:
    """Of any length."""
    records = trail(length)
    assert broken(records, head_of(records)) == (0, Damage.DAMAGE_UNSPECIFIED)


FIELDS = ("tenant_id", "user_id", "action", "resource", "reason", "correlation_id")


@given(st.integers(0, 9), st.sampled_from(FIELDS), st.text(max_size=5))
def test_a_changed_field_is_found(place: int, field: str, value: str) -> None:
    """Whichever it is."""
    records = trail(10)
    head = head_of(records)
    before = getattr(records[place].entry, field)
    setattr(records[place].entry, field, value)
    found = (0, 0) if value == before else (place + 1, Damage.DAMAGE_CHANGED)
    assert broken(records, head) == found


def test_every_other_part_of_a_record_counts() -> None:
    """Times, outcomes, details, the server that reported it, its code."""
    records = trail(3)
    head = head_of(records)
    for change in (
        lambda r: r.entry.happened_at.FromMicroseconds(77),
        lambda r: setattr(r.entry, "outcome", AuditOutcome.AUDIT_OUTCOME_REFUSED),
        lambda r: r.entry.details.update(code="1"),
        lambda r: setattr(r.entry, "id", "rec_" + "f" * 32),
        lambda r: setattr(r, "server", "identity"),
        lambda r: setattr(r, "mac", b"x" * 64),
    ):
        changed = [Record.FromString(r.SerializeToString()) for r in records]
        change(changed[1])
        assert broken(changed, head) == (2, Damage.DAMAGE_CHANGED)


@given(st.integers(0, 9))
def test_a_removed_record_is_found(place: int) -> None:
    """By its place; the last one by the head."""
    records = trail(10)
    head = head_of(records)
    del records[place]
    damage = Damage.DAMAGE_REMOVED if place < 9 else Damage.DAMAGE_CUT_OFF
    assert broken(records, head) == (place + 1, damage)


@given(st.integers(0, 8))
def test_swapped_records_are_found(place: int) -> None:
    """Though each of them has its own code."""
    records = trail(10)
    head = head_of(records)
    one, two = records[place], records[place + 1]
    one.sequence, two.sequence = two.sequence, one.sequence
    records[place], records[place + 1] = two, one
    assert broken(records, head) == (place + 1, Damage.DAMAGE_REORDERED)


def test_a_record_put_in_between_is_found() -> None:
    """By somebody without the key, who moved the others on."""
    records = trail(5)
    head = head_of(records)
    forged = chained(OTHER_KEY, records[1], "tools", [entry(99)])
    moved = records[2:]
    for record in moved:
        record.sequence += 1
    found = broken([*records[:2], *forged, *moved], head)
    assert found == (3, Damage.DAMAGE_REORDERED)


def test_a_trail_that_was_cut_off_with_a_head_of_somebody_elses_is_found() -> None:
    """The end has a code of its own."""
    records = trail(5)[:3]
    last = records[-1]
    forged = Head(3, last.mac, OTHER_KEY.head(3, last.mac))
    assert broken(records, forged) == (3, Damage.DAMAGE_FORGED)


def test_a_trail_without_its_head_is_found() -> None:
    """Also if nothing else is missing."""
    assert broken(trail(5), None) == (5, Damage.DAMAGE_FORGED)


def test_what_came_after_the_head_was_read_is_no_damage() -> None:
    """The trail goes on while it is verified."""
    records = trail(9)
    assert broken(records, head_of(records[:4])) == (0, Damage.DAMAGE_UNSPECIFIED)


def test_fields_cannot_run_into_each_other() -> None:
    """Each has its length before it."""
    one, two = entry(1, tenant_id="ab", user_id="c"), entry(1, tenant_id="a", user_id="bc")
    assert KEY.code(b"", "s", one) != KEY.code(b"", "s", two)


def test_a_short_key_is_refused() -> None:
    """And the message says the way out."""
    with pytest.raises(ValueError, match="64 bytes"):
        Key(b"short")
