"""Runs that wrote checkpoints, in Postgres. A run is its user's alone."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asyncpg import Record
from prometheus_client import Counter

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime import paging
from servers.runtime.call import Principal
from servers.runtime.errors import NotFound
from servers.runtime.postgres import Database
from servers.runtime.queries import Queries
from servers.runtime.resources import Resource

QUERIES = Queries(Path(__file__).with_name("queries.sql"))
PRUNE_SECONDS = 3600.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

PRUNED = Counter("kari_capsule_runs_pruned_total", "Runs of capsules that were too old to keep.")


@dataclass(frozen=True)
class RunKey:
    """A run, whose it is, and the attempt that has it."""

    id: str
    capsule_id: str
    who: Principal
    holder: str


@dataclass(frozen=True)
class Taken:
    """A run that goes on, as its last checkpoint left it."""

    conversation_id: str
    input: Any
    state: Any


class Runs:
    """What runs left to go on from."""

    def __init__(self, database: Resource[Database]) -> None:
        self._database = database

    async def keep(self, key: RunKey, conversation_id: str, given: str, state: str) -> int:
        """Keeps a checkpoint, JSON texts, and gives how many there are by now; 0 if the run is
        another attempt's by now, or over."""
        database = await self._database.get()
        kept = await database.value(
            key.who.tenant_id,
            QUERIES.keep,
            key.id,
            key.who.user_id,
            key.capsule_id,
            conversation_id,
            key.holder,
            given,
            state,
        )
        return int(kept or 0)

    async def take(self, key: RunKey) -> Taken:
        """The run, from now on this attempt's; NotFound unless it is the user's and can go on."""
        database = await self._database.get()
        row = await database.row(
            key.who.tenant_id, QUERIES.take, key.id, key.who.user_id, key.capsule_id, key.holder
        )
        if row is None:
            raise NotFound(
                Reason.REASON_RUN_NOT_FOUND,
                "there is no such run of this capsule that could go on",
                run_id=key.id,
            )
        return Taken(row["conversation_id"], json.loads(row["input"]), json.loads(row["state"]))

    async def end(self, key: RunKey) -> None:
        """It is over; what it left is forgotten."""
        database = await self._database.get()
        await database.value(key.who.tenant_id, QUERIES.end, key.id, key.holder)

    async def page(
        self, who: Principal, capsule_id: str, size: int, token: str
    ) -> tuple[Sequence[Record], str]:
        """The user's runs, the latest first, and the token of the next page."""
        size = paging.size_of(size)
        place = paging.place_of(token, int, str)
        before = (_moment(int(place[0])), str(place[1])) if place else (LATEST, "")
        database = await self._database.get()
        rows = await database.rows(
            who.tenant_id, QUERIES.runs_of, who.user_id, capsule_id, *before, size + 1
        )
        if len(rows) <= size:
            return rows, ""
        last = rows[size - 1]
        return rows[:size], paging.token_of((last["created_at"] - EPOCH) // MICROSECOND, last["id"])

    async def prune(self) -> None:
        """Removes what is older than 30 days, now and then, for ever."""
        while True:
            async with (await self._database.get()).across_tenants() as connection:
                removed = int((await connection.execute(QUERIES.prune)).split()[-1])
            PRUNED.inc(removed)
            await asyncio.sleep(0 if removed else PRUNE_SECONDS)


def _moment(microseconds: int) -> datetime:
    """A moment of a page token, which anybody can forge: never outside what a datetime holds."""
    latest = (LATEST - EPOCH) // MICROSECOND
    return EPOCH + timedelta(microseconds=min(max(microseconds, 0), latest))
