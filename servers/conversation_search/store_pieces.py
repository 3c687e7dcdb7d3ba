"""The text of files, in Postgres: views of what production memory keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from asyncpg import Record

from servers.conversation_search.store_postgres import MOST_LEXEMES, WHOLE, Candidates, any_of
from servers.conversation_search.wish import chosen, quoted
from servers.runtime.postgres import Database
from servers.runtime.queries import Queries
from servers.runtime.resources import Resource

QUERIES = Queries(Path(__file__).with_name("files.sql"))
MOST_FILES = 5000
"""Files that are looked at: the latest. Whoever has more names one, or its conversation."""


@dataclass(frozen=True)
class File:
    """A file whose pieces the caller may find; `conversation_id` is one through which they may,
    empty if it is only theirs."""

    id: str
    name: str
    pieces: int
    conversation_id: str


@dataclass(frozen=True)
class FileScope:
    """Files whose pieces the caller may find, the latest first."""

    files: Mapping[str, File] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return list(self.files)

    @property
    def total(self) -> float:
        """Pieces that they have together."""
        return float(sum(file.pieces for file in self.files.values()))


@dataclass(frozen=True)
class Asked:
    """Which files are looked at: empty means all; `since` is in, `until` is not. `named` is the
    conversation that is told where a file is used in several."""

    user_id: str
    conversation_id: str
    file_ids: Sequence[str]
    named: str
    since: datetime
    until: datetime


class PieceWords:
    """Reads pieces of files, of those in a scope only: whoever may not find a file finds none of
    it."""

    def __init__(self, database: Resource[Database]) -> None:
        self._database = database

    async def scope(self, tenant_id: str, asked: Asked) -> FileScope:
        """What the user may look at."""
        database = await self._database.get()
        rows = await database.rows(
            tenant_id,
            QUERIES.file_scope,
            asked.user_id,
            asked.conversation_id,
            list(asked.file_ids),
            asked.named,
            asked.since,
            asked.until,
            MOST_FILES,
        )
        return FileScope({row["id"]: File(*row) for row in rows})

    async def candidates(
        self, tenant_id: str, lexemes: Sequence[str], scope: FileScope, holds: str, most: int
    ) -> Candidates:
        """The pieces that have the most of these lexemes, by weight, and the weights."""
        lexemes = chosen(list(lexemes), MOST_LEXEMES)
        if not lexemes:
            return Candidates((), {})
        database = await self._database.get()
        row = await database.row(
            tenant_id,
            QUERIES.piece_candidates,
            scope.ids,
            [quoted(lexeme) for lexeme in lexemes],
            any_of(lexemes),
            holds,
            scope.total,
            most,
        )
        if row is None:
            raise LookupError("a statement that always gives a row gave none")
        return Candidates(row["ids"], dict(zip(lexemes, row["weights"], strict=False)))

    async def weighed(
        self,
        tenant_id: str,
        ids: Sequence[str],
        beginnings: Sequence[str],
        first: int,
        weights: Mapping[str, float],
        holds: str,
        scope: FileScope,
    ) -> list[Record]:
        """These pieces and the first ones of some files, with the weight of the lexemes that each
        has."""
        database = await self._database.get()
        return await database.rows(
            tenant_id,
            QUERIES.weighed_pieces,
            list(ids),
            list(beginnings),
            first,
            [quoted(lexeme) for lexeme in weights],
            list(weights.values()),
            holds,
            scope.ids,
        )

    async def shown(
        self, tenant_id: str, ids: Sequence[str], lexemes: Sequence[str], scope: FileScope
    ) -> dict[str, Record]:
        """What is shown of pieces, by id."""
        if not ids:
            return {}
        database = await self._database.get()
        rows = await database.rows(
            tenant_id, QUERIES.shown_pieces, list(ids), any_of(lexemes), WHOLE, scope.ids
        )
        return {row["id"]: row for row in rows}

    async def anchors(self, tenant_id: str, file_id: str, first: int) -> list[Record]:
        """Places and anchors of a file's pieces from a place on. Whether it may be read has been
        looked up before."""
        database = await self._database.get()
        return await database.rows(tenant_id, QUERIES.anchors, file_id, first)

    async def texts(
        self, tenant_id: str, file_id: str, first: int, places: Sequence[int], most: int
    ) -> list[Record]:
        """Pieces of a file in order: these places, or all from the first on. As above."""
        database = await self._database.get()
        return await database.rows(
            tenant_id, QUERIES.pieces_from, file_id, first, list(places), most
        )
