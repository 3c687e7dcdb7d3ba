"""Finding the first record that is not as it was written. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from kari.audit.v1.audit_pb2 import Damage, Record, Verdict
from servers.audit.chain import FIRST, Key

FORGED = Damage.DAMAGE_FORGED


@dataclass(frozen=True)
class Head:
    """The end of the trail as the store has it: place and code of the last record, and the code of
    both."""

    sequence: int
    code: bytes
    mac: bytes


class Verification:
    """Looks at the records of a trail, the oldest first. `head` and `checkpoint`, which is kept
    outside of the database, were read before them: what came since is behind them."""

    def __init__(self, key: Key, head: Head | None, checkpoint: Head | None = None) -> None:
        self._key = key
        self._head = head
        self._checkpoint = checkpoint
        self._met_head = False
        self._last = Record(sequence=0, mac=FIRST)

    @property
    def verified(self) -> int:
        """Place of the last record that is as it was written."""
        return self._last.sequence

    def look(self, records: Sequence[Record]) -> Verdict | None:
        """Looks at the next records; a verdict if one of them is broken. What comes after it within
        `records` is used to tell what happened."""
        for place, record in enumerate(records):
            if record.sequence > self._last.sequence + 1:
                return self._verdict(Damage.DAMAGE_REMOVED)
            if not self._key.made(self._last.mac, record):
                return self._verdict(self._damage(records[place:]))
            if self._is_not_remembered(record):
                return self._verdict(Damage.DAMAGE_CHANGED)
            self._last = record
            if self._head is not None and record.sequence == self._head.sequence:
                self._met_head = record.mac == self._head.code
        return None

    def end(self) -> Verdict:
        """The verdict once all records have been looked at."""
        head, checkpoint = self._head, self._checkpoint
        if checkpoint is not None and not self._is_own(checkpoint):
            return Verdict(damage=FORGED, explanation=NO_CHECKPOINT)
        if checkpoint is not None and checkpoint.sequence > self.verified:
            cut = self._verdict(Damage.DAMAGE_CUT_OFF)
            cut.explanation += REMEMBERED.format(sequence=checkpoint.sequence)
            return cut
        if head is None and not self.verified:
            return Verdict(whole=True, explanation=NOTHING)
        if head is None:
            return self._verdict(FORGED, 0)
        if not self._key.is_head(head.mac, head.sequence, head.code):
            return self._verdict(FORGED, 0)
        if head.sequence > self.verified:
            return self._verdict(Damage.DAMAGE_CUT_OFF)
        return Verdict(whole=True) if self._met_head else self._verdict(FORGED, 0)

    def _is_own(self, checkpoint: Head) -> bool:
        return self._key.is_checkpoint(checkpoint.mac, checkpoint.sequence, checkpoint.code)

    def _is_not_remembered(self, record: Record) -> bool:
        """Whether another record was there when it was remembered: of a trail that was begun
        anew."""
        checkpoint = self._checkpoint
        if checkpoint is None or record.sequence != checkpoint.sequence:
            return False
        return self._is_own(checkpoint) and record.mac != checkpoint.code

    def _damage(self, records: Sequence[Record]) -> Damage.ValueType:
        """What happened to the first of these: if the record that belongs there is found further
        on, another one was put before it."""
        moved = any(self._key.made(self._last.mac, record) for record in records[1:])
        return Damage.DAMAGE_REORDERED if moved else Damage.DAMAGE_CHANGED

    def _verdict(self, damage: Damage.ValueType, beyond: int = 1) -> Verdict:
        sequence = self._last.sequence + beyond
        return Verdict(
            whole=False,
            first_broken_sequence=sequence,
            damage=damage,
            explanation=EXPLANATIONS[damage].format(sequence=sequence),
        )


EXPLANATIONS = {
    Damage.DAMAGE_CHANGED: "record {sequence} is not what was written there",
    Damage.DAMAGE_REMOVED: "record {sequence} is gone",
    Damage.DAMAGE_REORDERED: "record {sequence} stands where another one was written",
    Damage.DAMAGE_CUT_OFF: "the trail was cut off: record {sequence} is gone, and all after it",
    Damage.DAMAGE_FORGED: "the end of the trail after record {sequence} was not written by it",
}
"""What people are told."""
NOTHING = "0 records: nothing was ever written, or all of it was removed"
REMEMBERED = (
    "; the file audit.checkpoint in the data folder remembers record {sequence}. If you put back "
    "an older backup, or took another database, remove that file"
)
NO_CHECKPOINT = (
    "the file audit.checkpoint in the data folder is not as it was written: somebody changed it, "
    "or the audit key is another one"
)
