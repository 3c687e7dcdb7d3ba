"""The chain of records. Pure.

Each record's code is HMAC-SHA512 (RFC 2104, FIPS 180-4) over the code of the record before it and
its own fields, each with its length before it, so that no two records have the same bytes. Who
lacks the key can change, remove, move or add nothing without breaking the chain there.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from kari.audit.v1.audit_pb2 import Record
from kari.conversation_models.v1.audit_pb2 import AuditEntry

FIRST = bytes(64)
"""The code before the first record."""
HEAD, CHECKPOINT = b"head", b"checkpoint"


@dataclass(frozen=True)
class Key:
    """The key of the trail."""

    secret: bytes

    def __post_init__(self) -> None:
        if len(self.secret) < 64:
            raise ValueError("the audit key has fewer than 64 bytes; remove the file for a new one")

    def code(self, before: bytes, server: str, entry: AuditEntry) -> bytes:
        """The code of a record that comes after one with the code `before`."""
        return self._mac([before, *_fields(server, entry)])

    def head(self, sequence: int, code: bytes) -> bytes:
        """The code of the trail's end, so that records cut off from it are missed."""
        return self._mac([HEAD, b"%d" % sequence, code])

    def is_head(self, mac: bytes, sequence: int, code: bytes) -> bool:
        """Whether a code is that of this end."""
        return hmac.compare_digest(self.head(sequence, code), mac)

    def checkpoint(self, sequence: int, code: bytes) -> bytes:
        """The same for what is remembered outside of the database: the one cannot be put in the
        place of the other."""
        return self._mac([CHECKPOINT, b"%d" % sequence, code])

    def is_checkpoint(self, mac: bytes, sequence: int, code: bytes) -> bool:
        """Whether a code is that of this checkpoint."""
        return hmac.compare_digest(self.checkpoint(sequence, code), mac)

    def made(self, before: bytes, record: Record) -> bool:
        """Whether a record was made with this key after one with the code `before`."""
        expected = self.code(before, record.server, record.entry)
        return hmac.compare_digest(expected, record.mac)

    def _mac(self, fields: Iterable[bytes]) -> bytes:
        mac = hmac.new(self.secret, digestmod=hashlib.sha512)
        for field in fields:
            mac.update(b"%d:" % len(field))
            mac.update(field)
        return mac.digest()


def chained(key: Key, before: Record, server: str, entries: Iterable[AuditEntry]) -> list[Record]:
    """Entries as the records that come after another one."""
    records, last = list[Record](), before
    for entry in entries:
        code = key.code(last.mac or FIRST, server, entry)
        last = Record(sequence=last.sequence + 1, entry=entry, server=server, mac=code)
        records.append(last)
    return records


def _fields(server: str, entry: AuditEntry) -> list[bytes]:
    pairs = sorted(entry.details.items())
    texts = [
        server,
        entry.id,
        str(entry.happened_at.ToMicroseconds()),
        entry.tenant_id,
        entry.user_id,
        entry.action,
        entry.resource,
        str(entry.outcome),
        entry.reason,
        entry.correlation_id,
        str(len(pairs)),
        *(text for pair in pairs for text in pair),
    ]
    return [text.encode() for text in texts]
