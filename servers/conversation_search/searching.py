"""A search: who may look where, candidates by words and by meaning at once, one order."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from asyncpg import Record
from prometheus_client import Counter, Histogram

from kari.conversation_models.v1.degradation_pb2 import Degradation
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import SearchFilter, SearchWay
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest
from kari.errors.v1.errors_pb2 import Reason
from servers.conversation_search.meaning import Meaning
from servers.conversation_search.naming import named, without_names
from servers.conversation_search.piece_searching import FoundPiece, PieceSearching, Wanted
from servers.conversation_search.ranking import Scored, ranked
from servers.conversation_search.store import Limits, Near, Scope
from servers.conversation_search.store_postgres import Words
from servers.conversation_search.summary_ranking import ranked_summaries
from servers.conversation_search.wish import Wish, wished
from servers.runtime import paging
from servers.runtime.call import Principal
from servers.runtime.errors import NotFound
from servers.runtime.labelled import labelled
from servers.runtime.names import short

SEARCHES = Counter("kari_chat_searches_total", "Searches.", ("way", "outcome"))
LATENCY = Histogram(
    "kari_chat_search_latency_seconds",
    "Time of a search.",
    ("way",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5),
)

MOST_BY_WORDS = 100
"""Candidates: where recall stopped growing on long conversations."""
MOST_SUMMARIES = 5
MOST_SUMMARIES_BY_WORDS = 20
"""Candidates by words: the cosine decides among them."""
EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

NOWHERE = Scope((), 0, 0, ())

Lexical = tuple[Sequence[str], dict[str, float], Sequence[str]]
"""Lexemes of a query, their weights, and the messages that have the most of them."""


@dataclass(frozen=True)
class Found:
    """A page: what is shown of each message, its score, the next page's token, what was missing; on
    the first page the summaries and the pieces of files that fit, with their scores."""

    shown: Sequence[tuple[Record, Scored]]
    next_page_token: str = ""
    degradations: Sequence[Degradation] = ()
    summaries: Sequence[tuple[Record, Scored]] = ()
    files: Sequence[FoundPiece] = ()


class Searching:
    """Finds messages of conversations in which somebody takes part, and pieces of files."""

    def __init__(
        self,
        words: Words,
        pieces: PieceSearching,
        meaning: Meaning,
    ) -> None:
        self._words = words
        self._pieces = pieces
        self._meaning = meaning

    async def search(self, request: SearchRequest, who: Principal) -> Found:
        """A page of what fits best. NotFound if the one conversation to look at is none of the
        caller's."""
        way, began = short(SearchWay, request.way), time.perf_counter()
        wish = wished(request.query)
        found = Found(()) if wish.empty else await self._search(request, who, wish)
        outcome = (
            "degraded"
            if found.degradations
            else "found"
            if found.shown or found.files
            else "nothing"
        )
        labelled(SEARCHES, way, outcome).inc()
        labelled(LATENCY, way).observe(time.perf_counter() - began)
        return found

    async def _search(self, request: SearchRequest, who: Principal, wish: Wish) -> Found:
        limits = limits_of(request.filter, who.user_id, wish)
        scope, files = await asyncio.gather(
            self._scope(request, who, limits), self._pieces.scope(request, who, limits)
        )
        if not scope.unknown and not files.files:
            return Found(())
        people = named(wish.text, scope.authors)
        text, wanted = without_names(wish.text, people), self._pieces.wanted(files, wish.text)
        (near, degradations), lexical, in_files = await asyncio.gather(
            self._near(request.way, who, text, scope, limits, wanted),
            self._lexical(request.way, who, text, scope, limits),
            self._pieces.lexical(request.way, who, wanted, limits),
        )
        found, pieces = await asyncio.gather(
            self._messages(request, who, lexical, near, people, limits),
            self._pieces.find(request, who, in_files, near.pieces, limits),
        )
        return replace(found, degradations=degradations, files=pieces)

    async def _scope(self, request: SearchRequest, who: Principal, limits: Limits) -> Scope:
        """The conversations to look at; none if certain files are asked for."""
        if request.filter.file_ids:
            return NOWHERE
        scope = await self._words.scope(who.tenant_id, limits)
        if not scope.conversation_ids and limits.conversation_id:
            raise NotFound(
                Reason.REASON_CONVERSATION_NOT_FOUND,
                "there is no such conversation",
                conversation_id=limits.conversation_id,
            )
        return scope

    async def _messages(
        self,
        request: SearchRequest,
        who: Principal,
        lexical: Lexical,
        near: Near,
        people: Collection[str],
        limits: Limits,
    ) -> Found:
        lexemes, weights, ids = lexical
        wanted = sorted({*ids, *near.cosines})
        turns, summaries = await asyncio.gather(
            self._words.turns(who.tenant_id, wanted, lexemes, limits),
            self._summaries(request, who, near, weights, limits),
        )
        order = ranked(turns, weights, near.cosines, people)
        page, token = paged(order, request.page_size, request.page_token)
        rows = await self._words.shown(who.tenant_id, [each.id for each in page], lexemes)
        shown = [(rows[each.id], each) for each in page if each.id in rows]
        return Found(shown, token, summaries=summaries)

    async def _summaries(
        self,
        request: SearchRequest,
        who: Principal,
        near: Near,
        weights: Mapping[str, float],
        limits: Limits,
    ) -> list[tuple[Record, Scored]]:
        """The summaries that fit best, on the first page. They are nobody's, and have no role."""
        if request.page_token or limits.roles or limits.sender:
            return []
        if not near.summaries and not weights:
            return []
        rows = await self._words.summaries(
            who.tenant_id, list(near.summaries), weights, limits, MOST_SUMMARIES_BY_WORDS
        )
        by_id = {row["id"]: row for row in rows}
        held = {row["id"]: float(row["weight"]) for row in rows}
        best = ranked_summaries(held, sum(weights.values()), near.summaries)
        return [(by_id[each.id], each) for each in best[:MOST_SUMMARIES]]

    async def _lexical(
        self, way: SearchWay.ValueType, who: Principal, text: str, scope: Scope, limits: Limits
    ) -> Lexical:
        if not scope.unknown:
            return (), {}, ()
        lexemes = await self._words.lexemes(who.tenant_id, text)
        if way == SearchWay.SEARCH_WAY_VECTORS:
            return lexemes, {}, ()
        found = await self._words.candidates(who.tenant_id, lexemes, scope, limits, MOST_BY_WORDS)
        return lexemes, dict(found.weights), found.ids

    async def _near(
        self,
        way: SearchWay.ValueType,
        who: Principal,
        text: str,
        scope: Scope,
        limits: Limits,
        wanted: Wanted,
    ) -> tuple[Near, Sequence[Degradation]]:
        if way == SearchWay.SEARCH_WAY_FULL_TEXT:
            return Near({}), ()
        return await self._meaning.near(
            who.tenant_id, text, scope, limits, wanted.text, wanted.scope.ids
        )


def limits_of(given: SearchFilter, user_id: str, wish: Wish) -> Limits:
    """A filter as the stores take it."""
    has = given.HasField
    return Limits(
        user_id=user_id,
        conversation_id=given.conversation_id,
        since=given.since.ToDatetime(UTC) if has("since") else EARLIEST,
        until=given.until.ToDatetime(UTC) if has("until") else LATEST,
        roles=[short(MessageRole, role) for role in given.roles],
        sender=given.user_id,
        holds=wish.filter,
        known=(given.known_conversation_id, given.known_from_sequence),
    )


def paged(order: Sequence[Scored], size: int, token: str) -> tuple[Sequence[Scored], str]:
    """A page of a whole order, and the token of the next."""
    size = min(size or 20, 50)
    (first,) = paging.place_of(token, int) or (0,)
    first = max(0, int(first))
    after = first + size
    return order[first:after], paging.token_of(after) if after < len(order) else ""
