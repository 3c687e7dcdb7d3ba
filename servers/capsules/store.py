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
from servers.runtime.errors import Conflict, NotFound
from servers.runtime.postgres import Database
from servers.runtime.queries import Queries
from servers.runtime.resources import Resource

QUERIES = Queries(Path(__file__).with_name("queries.sql"))
CLAIM_SECONDS = 15.0
"""How long a run whose server died still counts as under way."""
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
class Found:
    """A run that could go on: what it was asked for, and where."""

    conversation_id: str
    input: Any


class Runs:
    """What runs left to go on from. A run that is under way is claimed for `claim_seconds` at a
    time: as long as its server renews that, nobody else goes on with it."""

    def __init__(self, database: Resource[Database], claim_seconds: float = CLAIM_SECONDS) -> None:
        self._database = database
        self._claim = timedelta(seconds=claim_seconds)
        self.renew_seconds = claim_seconds / 4

    async def keep(self, key: RunKey, conversation_id: str, given: str, state: str) -> int:
        """Keeps a checkpoint, JSON texts, claims the run, and gives how many there are by now; 0 if
        the run is another attempt's by now, or over."""
        who = key.who
        values = (key.id, who.user_id, key.capsule_id, conversation_id, key.holder, given, state)
        database = await self._database.get()
        kept = await database.value(who.tenant_id, QUERIES.keep, *values, self._claim)
        return int(kept or 0)

    async def find(self, key: RunKey) -> Found:
        """The run, as it is; NotFound unless it is the user's and can go on, Conflict while it is
        under way."""
        database = await self._database.get()
        row = await database.row(
            key.who.tenant_id, QUERIES.find, key.id, key.who.user_id, key.capsule_id
        )
        if row is None:
            raise NotFound(
                Reason.REASON_RUN_NOT_FOUND,
                "there is no such run of this capsule that could go on",
                run_id=key.id,
            )
        if (alive_for := row["alive_for"].total_seconds()) > 0:
            raise under_way(key.id, alive_for)
        return Found(row["conversation_id"], json.loads(row["input"]))

    async def take(self, key: RunKey) -> Any:
        """The state of the last checkpoint of a run that is this attempt's from now on; Conflict if
        it is under way, or has come to its end."""
        database = await self._database.get()
        row = await database.row(
            key.who.tenant_id,
            QUERIES.take,
            key.id,
            key.who.user_id,
            key.capsule_id,
            key.holder,
            self._claim,
        )
        if row is None:
            raise under_way(key.id, self._claim.total_seconds())
        return json.loads(row["state"])

    async def renew(self, key: RunKey) -> bool:
        """Claims it for another while; False if it is another attempt's by now."""
        database = await self._database.get()
        renewed = await database.value(
            key.who.tenant_id, QUERIES.renew, key.id, key.holder, self._claim
        )
        return renewed is not None

    async def release(self, key: RunKey) -> None:
        """It is not under way any more, and can go on at once."""
        database = await self._database.get()
        await database.value(key.who.tenant_id, QUERIES.release, key.id, key.holder)

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


def under_way(run_id: str, alive_for: float) -> Conflict:
    """Somebody runs it, or did a moment ago."""
    return Conflict(
        Reason.REASON_RUN_UNDER_WAY,
        "the run is under way, and goes on where it is; if its server has died, it can be resumed "
        f"in {alive_for:.0f} s",
        retryable=True,
        retry_after=alive_for,
        run_id=run_id,
    )


def taken_over(run_id: str) -> Conflict:
    """Somebody else has it by now, and it ends here."""
    return Conflict(
        Reason.REASON_RUN_UNDER_WAY,
        "the run was taken over, and goes on elsewhere",
        run_id=run_id,
    )
