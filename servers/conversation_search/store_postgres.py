"""The words of messages and summaries, in Postgres: views of what production memory and the
conversation manager keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asyncpg import Record

from servers.conversation_search.ranking import Turn
from servers.conversation_search.snippet import START, STOP
from servers.conversation_search.store import Limits, Scope
from servers.conversation_search.wish import chosen, quoted
from servers.runtime.postgres import Database
from servers.runtime.queries import Queries
from servers.runtime.resources import Resource

QUERIES = Queries(Path(__file__).with_name("queries.sql"))

PLANNED_EACH_TIME = {"plan_cache_mode": "force_custom_plan", "jit": "off"}
"""How many messages have a word differs a thousandfold: a plan for any word is good for none."""
MOST_LEXEMES = 12
"""As many as the statement has places."""
WHOLE_CHARACTERS = 600
"""A text of this length is shown whole; of a longer one the part that fits best."""
LOOKED_INTO_CHARACTERS = 20_000
"""How much of a long text is looked into for that part."""
_MARKS = f"StartSel={START}, StopSel={STOP}"
WHOLE = f"{_MARKS}, HighlightAll=true"
PART = f"{_MARKS}, MaxFragments=1, MaxWords=90, MinWords=45"


@dataclass(frozen=True)
class Candidates:
    """Messages that have words of the query, and the weights of these."""

    ids: Sequence[str]
    weights: Mapping[str, float]


class Words:
    """Reads messages. Whoever does not take part in a conversation finds none of it."""

    def __init__(self, database: Resource[Database]) -> None:
        self._database = database

    async def scope(self, tenant_id: str, limits: Limits) -> Scope:
        """What the user may look at: one conversation, or all of theirs."""
        database = await self._database.get()
        row = await database.row(
            tenant_id, QUERIES.scope, limits.user_id, limits.conversation_id, *limits.known
        )
        if row is None:
            raise LookupError("a statement that always gives a row gave none")
        return Scope(row["conversation_ids"], row["total"], row["unknown"], row["authors"])

    async def lexemes(self, tenant_id: str, text: str) -> list[str]:
        """The lexemes of a query, at most MOST_LEXEMES of them."""
        database = await self._database.get()
        rows = await database.rows(tenant_id, QUERIES.lexemes, text)
        return chosen([row["lexeme"] for row in rows], MOST_LEXEMES)

    async def candidates(
        self, tenant_id: str, lexemes: Sequence[str], scope: Scope, limits: Limits, most: int
    ) -> Candidates:
        """The messages that have the most of these lexemes, by weight."""
        if not lexemes:
            return Candidates((), {})
        database = await self._database.get()
        row = await database.row(
            tenant_id,
            QUERIES.candidates,
            limits.user_id,
            limits.conversation_id,
            [quoted(lexeme) for lexeme in lexemes],
            any_of(lexemes),
            limits.holds,
            limits.since,
            limits.until,
            list(limits.roles),
            limits.sender,
            scope.total,
            most,
        )
        if row is None:
            raise LookupError("a statement that always gives a row gave none")
        return Candidates(row["ids"], dict(zip(lexemes, row["weights"], strict=False)))

    async def turns(
        self, tenant_id: str, ids: Sequence[str], lexemes: Sequence[str], limits: Limits
    ) -> list[Turn]:
        """These messages and their neighbours, for ranking."""
        database = await self._database.get()
        rows = await database.rows(
            tenant_id,
            QUERIES.turns,
            list(ids),
            limits.user_id,
            list(lexemes),
            limits.holds,
            limits.since,
            limits.until,
            list(limits.roles),
            limits.sender,
            *limits.known,
        )
        return [_turn(row) for row in rows]

    async def summaries(
        self,
        tenant_id: str,
        ids: Sequence[str],
        weights: Mapping[str, float],
        limits: Limits,
        most: int,
    ) -> list[Record]:
        """These summaries, and at most so many that have the most of these lexemes, by weight."""
        database = await self._database.get()
        return await database.rows(
            tenant_id,
            QUERIES.summaries,
            list(ids),
            limits.user_id,
            limits.conversation_id,
            [quoted(lexeme) for lexeme in weights],
            list(weights.values()),
            any_of(list(weights)),
            limits.holds,
            limits.since,
            limits.until,
            most,
        )

    async def shown(
        self, tenant_id: str, ids: Sequence[str], lexemes: Sequence[str]
    ) -> dict[str, Record]:
        """What is shown of messages, by id."""
        if not ids:
            return {}
        database = await self._database.get()
        rows = await database.rows(
            tenant_id,
            QUERIES.shown,
            list(ids),
            any_of(lexemes),
            WHOLE,
            PART,
            WHOLE_CHARACTERS,
            LOOKED_INTO_CHARACTERS,
        )
        return {row["id"]: row for row in rows}


def any_of(lexemes: Sequence[str]) -> str:
    """A tsquery for texts that have any of these lexemes; empty for none."""
    return " | ".join(quoted(lexeme) for lexeme in lexemes)


def _turn(row: Record) -> Turn:
    return Turn(
        id=row["id"],
        conversation_id=row["conversation_id"],
        sequence=row["sequence"],
        author=row["author"],
        length=row["length"],
        frequencies=dict(zip(row["lexemes"], row["counts"], strict=True)),
        date=frozenset(row["date"]),
        wanted=row["wanted"],
    )
