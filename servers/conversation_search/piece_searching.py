"""A search in the text of files: which ones, what of them, in which order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from asyncpg import Record

from kari.conversation_models.v1.search_pb2 import SearchFilter, SearchWay
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest
from servers.conversation_search.piece_ranking import Piece, ranked_pieces
from servers.conversation_search.ranking import Scored
from servers.conversation_search.store import Limits
from servers.conversation_search.store_pieces import Asked, File, FileScope, PieceWords
from servers.conversation_search.store_postgres import Words
from servers.runtime.call import Principal
from servers.runtime.file_names import mentions, without_names

MOST_BY_WORDS = 100
MOST_PIECES = 10
"""Beside messages; who asks for certain files is given a page."""
DEFAULT_SIZE, LARGEST_SIZE = 20, 50
FIRST_PIECES = 3
"""As much of the beginning of a file fits whenever the query names it."""
MOST_NAMED = 3


@dataclass(frozen=True)
class FoundPiece:
    """A piece, its file, and how well it fits."""

    row: Record
    file: File
    scored: Scored


@dataclass(frozen=True)
class Wanted:
    """What a query looks for, in which files, and which of them it names."""

    scope: FileScope
    text: str = ""
    named: Sequence[str] = ()


@dataclass(frozen=True)
class Lexical:
    """The words of a query, and what they find in files."""

    wanted: Wanted
    lexemes: Sequence[str] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    ids: Sequence[str] = ()


class PieceSearching:
    """Finds pieces of files that somebody may find."""

    def __init__(self, words: Words, pieces: PieceWords) -> None:
        self._words = words
        self._pieces = pieces

    async def scope(self, request: SearchRequest, who: Principal, limits: Limits) -> FileScope:
        """The files to look at, on the first page. They have no role, and nobody said them."""
        if request.page_token or limits.roles or limits.sender:
            return FileScope()
        asked = Asked(
            user_id=who.user_id,
            conversation_id=limits.conversation_id,
            file_ids=sorted(set(request.filter.file_ids)),
            named=_conversation(request.filter),
            since=limits.since,
            until=limits.until,
        )
        return await self._pieces.scope(who.tenant_id, asked)

    def wanted(self, scope: FileScope, text: str) -> Wanted:
        """What is looked for. A name of a file says which one is meant, not what stands in it."""
        if not scope.files:
            return Wanted(scope)
        named = [file for file in scope.files.values() if mentions(text, file.name)][:MOST_NAMED]
        rest = without_names(text, [file.name for file in named])
        return Wanted(scope, rest, [file.id for file in named])

    async def lexical(
        self, way: SearchWay.ValueType, who: Principal, wanted: Wanted, limits: Limits
    ) -> Lexical:
        """What words find."""
        if not wanted.scope.files:
            return Lexical(wanted)
        lexemes = await self._words.lexemes(who.tenant_id, wanted.text)
        if way == SearchWay.SEARCH_WAY_VECTORS:
            return Lexical(wanted, lexemes)
        found = await self._pieces.candidates(
            who.tenant_id, lexemes, wanted.scope, limits.holds, MOST_BY_WORDS
        )
        return Lexical(wanted, lexemes, found.weights, found.ids)

    async def find(
        self,
        request: SearchRequest,
        who: Principal,
        lexical: Lexical,
        cosines: Mapping[str, float],
        limits: Limits,
    ) -> list[FoundPiece]:
        """The pieces that fit best."""
        scope, named = lexical.wanted.scope, lexical.wanted.named
        if not scope.files:
            return []
        rows = await self._pieces.weighed(
            who.tenant_id,
            sorted({*lexical.ids, *cosines}),
            named,
            FIRST_PIECES,
            lexical.weights,
            limits.holds,
            scope,
        )
        held = [Piece(row["id"], row["file_id"], row["place"], row["weight"]) for row in rows]
        total = sum(lexical.weights.values())
        best = ranked_pieces(held, total, cosines, named)[: _most(request)]
        shown = await self._pieces.shown(
            who.tenant_id, [each.id for each in best], lexical.lexemes, scope
        )
        return [
            FoundPiece(shown[each.id], scope.files[shown[each.id]["file_id"]], each)
            for each in best
            if each.id in shown
        ]


def _most(request: SearchRequest) -> int:
    if not request.filter.file_ids:
        return MOST_PIECES
    return min(request.page_size or DEFAULT_SIZE, LARGEST_SIZE)


def _conversation(given: SearchFilter) -> str:
    return given.conversation_id or given.known_conversation_id
