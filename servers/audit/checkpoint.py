"""The end of the trail as a file remembers it, outside of the database: if all of the trail is
removed there, its end included, nothing in the database tells of it."""

import asyncio
import json
from pathlib import Path

import structlog
from prometheus_client import Counter

from kari.audit.v1.audit_pb2 import Record
from servers.audit.chain import Key
from servers.audit.store import Trail
from servers.audit.verification import Head
from servers.runtime import private_files
from servers.runtime.errors import KariError

WRITE_SECONDS = 2.0
"""The file is so far behind the trail at most; a killed server leaves it there."""
MOST_SEQUENCE = 2**63 - 1
"""As the column holds it."""
UNREADABLE = Head(0, b"", b"")
"""What a file that says nothing says: no key has made it."""

NOT_WRITTEN = Counter(
    "kari_audit_checkpoints_failed_total", "Checkpoints of the audit trail that were not written."
)

log = structlog.get_logger("kari.audit")


class Checkpoint:
    """The file. Servers that share it write it one after the other; an older end never takes the
    place of a newer one, nor the end of another trail that of this one."""

    def __init__(self, file: Path, trail: Trail, key: Key) -> None:
        self._file = file
        self._trail = trail
        self._key = key
        self._written = 0

    async def read(self) -> Head | None:
        """What it remembers, from whomever; None if there is no file."""
        return await asyncio.to_thread(self._read)

    async def run(self) -> None:
        """Writes what is new, now and then, for ever."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Writes the end of what was appended here, if that is news."""
        end = self._trail.appended
        if end.sequence <= self._written:
            return
        try:
            with private_files.alone(self._file) as alone:
                if alone:  # else another one writes, and this one does the next time
                    await self._write(end)
        except (OSError, KariError) as error:
            NOT_WRITTEN.inc()
            log.warning("no checkpoint was written", error=type(error).__name__)

    async def _write(self, end: Record) -> None:
        if await self._goes_on(end.sequence):
            head = Head(end.sequence, end.mac, self._key.checkpoint(end.sequence, end.mac))
            await asyncio.to_thread(private_files.replace, self._file, _text(head))
        self._written = end.sequence

    async def _goes_on(self, sequence: int) -> bool:
        """Whether the trail holds what the file remembers, and goes beyond it."""
        before = await self.read()
        if before is None:
            return True
        if before.sequence >= sequence and self._is_ours(before):
            return False
        if await self._trail.code_at(before.sequence) == before.code:
            return True
        NOT_WRITTEN.inc()
        log.error("the audit trail does not hold its checkpoint", file=str(self._file))
        return False

    def _is_ours(self, head: Head) -> bool:
        return self._key.is_checkpoint(head.mac, head.sequence, head.code)

    def _read(self) -> Head | None:
        try:
            found = json.loads(self._file.read_bytes())
            sequence = int(found["sequence"])
            if not 0 <= sequence <= MOST_SEQUENCE:
                return UNREADABLE
            return Head(sequence, bytes.fromhex(found["code"]), bytes.fromhex(found["mac"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OverflowError):
            return UNREADABLE


def _text(head: Head) -> bytes:
    told = {"sequence": head.sequence, "code": head.code.hex(), "mac": head.mac.hex()}
    return json.dumps(told).encode()
