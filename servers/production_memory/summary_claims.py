"""Handing out summaries that are due, when there is room for them."""

import asyncio
import time

import structlog

from kari.production_memory.v1.production_memory_pb2 import ClaimSummariesRequest, SummaryTask
from servers.production_memory.quiet import Quiet
from servers.production_memory.summaries import STATEMENTS
from servers.production_memory.summary import task_of
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

DEFAULT_CLAIMED = 5
LOOKS = 200
"""Conversations that one claim looks at: a row each, found by its index."""
MESSAGES_OF_TURN = 2
FEWEST_OF_EPISODE = 4
"""Two exchanges: what is shorter says it better itself."""
MOST_OF_EPISODE = 200
"""So that a long import is summarized in parts that a person would read as one."""
WAIT_SECONDS = 3.0
"""A claim waits so long for quiet: less than its deadline."""

log = structlog.get_logger("kari.production_memory")


class SummaryClaims:
    """Leases conversations of every tenant. A task yields to turns as jobs do: it is handed out
    when none begins or ends, or else for a share of the time."""

    def __init__(
        self, database: Resource[Database], quiet: Quiet, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self._database = database
        self._quiet = quiet
        self._wait_seconds = wait_seconds
        self._claimed_at = self._worked_until = time.monotonic()

    async def claim(self, request: ClaimSummariesRequest) -> list[SummaryTask]:
        """Tasks that are due, the one that waits longest first; none while turns need the cores."""
        if not await self._quiet_comes():
            return []
        database = await self._database.get()
        async with database.across_tenants() as connection:
            rows = await connection.fetch(
                STATEMENTS.claim_summaries,
                request.rolling_turns * MESSAGES_OF_TURN,
                request.rest.ToTimedelta(),
                FEWEST_OF_EPISODE,
                MOST_OF_EPISODE,
                request.lease.duration.ToTimedelta(),
                LOOKS,
                request.limit or DEFAULT_CLAIMED,
            )
        if rows:
            self._claimed_at = self._worked_until = time.monotonic()
            log.info("summaries claimed", owner=request.lease.owner, count=len(rows))
        return [task_of(row) for row in rows]

    def done(self) -> None:
        """A task that was handed out has been answered."""
        self._worked_until = time.monotonic()

    async def _quiet_comes(self) -> bool:
        """Waits for quiet, but not for long."""
        worked = self._worked_until - self._claimed_at
        give_up = time.monotonic() + self._wait_seconds
        while (seconds := self._quiet.missing(self._worked_until, worked)) > 0:
            if time.monotonic() + seconds > give_up:
                return False
            await asyncio.sleep(seconds)
        return True
