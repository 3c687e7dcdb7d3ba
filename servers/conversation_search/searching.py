"""A search: who may look where, candidates by words and by meaning at once, one order."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import grpc
import structlog
from asyncpg import Record
from prometheus_client import Counter, Histogram

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import SearchFilter, SearchWay
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import EmbedRequest
from servers.conversation_search.naming import named, without_names
from servers.conversation_search.ranking import Scored, ranked
from servers.conversation_search.store import Limits, Near, NearestVectors, Scope
from servers.conversation_search.store_postgres import Words
from servers.conversation_search.summary_ranking import ranked_summaries
from servers.conversation_search.wish import Wish, wished
from servers.runtime import paging
from servers.runtime.call import Principal, current
from servers.runtime.errors import KariError, NotFound
from servers.runtime.labelled import labelled
from servers.runtime.names import short
from servers.runtime.resources import Resource

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

SEARCHES = Counter("kari_chat_searches_total", "Searches.", ("way", "outcome"))
LATENCY = Histogram(
    "kari_chat_search_latency_seconds",
    "Time of a search.",
    ("way",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5),
)

MOST_BY_WORDS = MOST_BY_VECTORS = 100
"""Candidates of each kind: where recall stopped growing on long conversations."""
MOST_SUMMARIES = 5
MOST_SUMMARIES_BY_WORDS = 20
"""Candidates by words: the cosine decides among them."""
VECTOR_SECONDS = 1.5
"""Meaning is not waited for longer than this: words alone find most."""
VECTOR_SHARE = 0.6
"""Of the time that a caller with a short deadline gives: what words find must still reach it."""
EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

log = structlog.get_logger("kari.conversation_search")


@dataclass(frozen=True)
class Found:
    """A page: what is shown of each message, its score, the next page's token, what was missing; on
    the first page the summaries that fit, with their scores."""

    shown: Sequence[tuple[Record, Scored]]
    next_page_token: str = ""
    degradations: Sequence[Degradation] = ()
    summaries: Sequence[tuple[Record, Scored]] = ()


class Searching:
    """Finds messages of conversations in which somebody takes part."""

    def __init__(
        self,
        words: Words,
        vectors: Resource[NearestVectors],
        production_memory: "ProductionMemoryServiceAsyncStub",
        vector_seconds: float = VECTOR_SECONDS,
    ) -> None:
        self._words = words
        self._vectors = vectors
        self._production_memory = production_memory
        self._vector_seconds = vector_seconds

    async def search(self, request: SearchRequest, who: Principal) -> Found:
        """A page of what fits best. NotFound if the one conversation to look at is none of the
        caller's."""
        way, began = short(SearchWay, request.way), time.perf_counter()
        wish = wished(request.query)
        found = Found(()) if wish.empty else await self._search(request, who, wish)
        outcome = "degraded" if found.degradations else "found" if found.shown else "nothing"
        labelled(SEARCHES, way, outcome).inc()
        labelled(LATENCY, way).observe(time.perf_counter() - began)
        return found

    async def _search(self, request: SearchRequest, who: Principal, wish: Wish) -> Found:
        limits = limits_of(request.filter, who.user_id, wish)
        scope = await self._words.scope(who.tenant_id, limits)
        if not scope.conversation_ids:
            return _nothing(limits)
        if not scope.unknown:
            return Found(())
        people = named(wish.text, scope.authors)
        text = without_names(wish.text, people)
        near, (lexemes, weights, ids) = await asyncio.gather(
            self._near(request.way, who, text, scope, limits),
            self._lexical(request.way, who, text, scope, limits),
        )
        nearest, degradations = near
        wanted = sorted({*ids, *nearest.cosines})
        turns, summaries = await asyncio.gather(
            self._words.turns(who.tenant_id, wanted, lexemes, limits),
            self._summaries(request, who, nearest, weights, limits),
        )
        order = ranked(turns, weights, nearest.cosines, people)
        page, token = paged(order, request.page_size, request.page_token)
        rows = await self._words.shown(who.tenant_id, [each.id for each in page], lexemes)
        shown = [(rows[each.id], each) for each in page if each.id in rows]
        return Found(shown, token, degradations, summaries)

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
    ) -> tuple[Sequence[str], dict[str, float], Sequence[str]]:
        lexemes = await self._words.lexemes(who.tenant_id, text)
        if way == SearchWay.SEARCH_WAY_VECTORS:
            return lexemes, {}, ()
        found = await self._words.candidates(who.tenant_id, lexemes, scope, limits, MOST_BY_WORDS)
        return lexemes, dict(found.weights), found.ids

    async def _near(
        self, way: SearchWay.ValueType, who: Principal, text: str, scope: Scope, limits: Limits
    ) -> tuple[Near, Sequence[Degradation]]:
        """The nearest by meaning; what keeps them from being found is said, not raised."""
        if way == SearchWay.SEARCH_WAY_FULL_TEXT:
            return Near({}), ()
        try:
            async with asyncio.timeout(self._patience()):
                near = await self._nearest(who, text, scope, limits)
        except (KariError, grpc.aio.AioRpcError, TimeoutError, LookupError) as error:
            log.warning("searching by words alone", error=type(error).__name__)
            return Near({}), (_missing(error),)
        return near, ()

    def _patience(self) -> float:
        remaining = current().remaining()
        if remaining is None:
            return self._vector_seconds
        return min(self._vector_seconds, remaining * VECTOR_SHARE)

    async def _nearest(self, who: Principal, text: str, scope: Scope, limits: Limits) -> Near:
        embedded = await self._production_memory.Embed(EmbedRequest(texts=[text]))
        vectors = await self._vectors.get()
        return await vectors.nearest(
            who.tenant_id, embedded.embeddings[0].values, scope, limits, MOST_BY_VECTORS
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


def _nothing(limits: Limits) -> Found:
    if limits.conversation_id:
        raise NotFound(
            Reason.REASON_CONVERSATION_NOT_FOUND,
            "there is no such conversation",
            conversation_id=limits.conversation_id,
        )
    return Found(())


def _missing(error: BaseException) -> Degradation:
    """Semantic recall is missing; Milvus, unless the embedder was what failed."""
    embedder = isinstance(error, grpc.aio.AioRpcError)
    return Degradation(
        feature=Feature.FEATURE_SEMANTIC_RECALL, cause="model_factory" if embedder else "milvus"
    )
