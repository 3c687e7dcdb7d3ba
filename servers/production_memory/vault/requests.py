"""Requests that were seen before: each writes once."""

import hashlib
from dataclasses import dataclass

from asyncpg import Record

from kari.errors.v1.errors_pb2 import Reason
from servers.production_memory.vault.tables import QUERIES
from servers.runtime.errors import Conflict, NotFound
from servers.runtime.postgres import Connection


@dataclass(frozen=True)
class Source:
    """The request that writes: repeating it gives what the first one did. `digest` is what a
    repeated one has to have in common with it."""

    user_id: str
    action: str
    request_id: str
    digest: bytes = b""


@dataclass(frozen=True)
class Written:
    """What became of a statement: the row that has it now, if there is one, the outcome by the name
    of RememberOutcome in lower case, and what it took the place of."""

    row: Record | None
    outcome: str
    replaced: Record | None = None


async def repeated(connection: Connection, source: Source) -> Written | None:
    """What the first request with this id did; None if this is the first. Conflict if it asked for
    something else, NotFound if what it wrote was forgotten since: it is not written again."""
    before = await connection.fetchrow(
        QUERIES.request_before, source.user_id, source.action, source.request_id
    )
    if before is None:
        return None
    row = await _memory(connection, before["memory_id"])
    if row is None:
        raise NotFound(
            Reason.REASON_MEMORY_NOT_FOUND,
            "what this request wrote was forgotten since; to state it again use a new request id",
        )
    if before["digest"] != source.digest:
        raise Conflict(
            Reason.REASON_REQUEST_ID_REUSED,
            "this request id was used before for another statement; use a new one",
        )
    return Written(row, before["outcome"], await _memory(connection, before["replaced_id"]))


async def was_done(connection: Connection, source: Source) -> bool:
    """Whether a request that wrote any number of memories was seen before."""
    before = await connection.fetchrow(
        QUERIES.request_before, source.user_id, source.action, source.request_id
    )
    return before is not None


async def note(connection: Connection, source: Source, result: Written | None = None) -> None:
    """Keeps what a request did, if it did something; what was refused may be asked again."""
    if result is not None and result.row is None:
        return
    await connection.execute(
        QUERIES.note_request,
        source.user_id,
        source.action,
        source.request_id,
        source.digest,
        result.outcome if result else "",
        result.row["id"] if result and result.row else "",
        result.replaced["id"] if result and result.replaced else "",
    )


def digest_of(*parts: bytes) -> bytes:
    """A digest of the parts of a request."""
    return hashlib.sha256(b"\0".join(parts)).digest()


async def _memory(connection: Connection, memory_id: str) -> Record | None:
    return await connection.fetchrow(QUERIES.memory, memory_id) if memory_id else None
