"""Ending a turn: the answer, the turn's end and its jobs, in one transaction."""

from dataclasses import dataclass

import structlog
from asyncpg import Record

from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.turn_pb2 import Turn, TurnState
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import FinishTurnRequest, LedTurn
from servers.production_memory.buffering import Buffering
from servers.production_memory.committing import call_off_asking, commit_end
from servers.production_memory.jobs import Jobs
from servers.production_memory.leading import claim_waiting
from servers.production_memory.quiet import Quiet
from servers.production_memory.tables import (
    QUERIES,
    led_turn,
    locked_turn,
    message,
    turn_row,
    turn_with_pending,
)
from servers.production_memory.turn import ENDED, asks, name_of, require_lease, turn_of
from servers.production_memory.writes import written
from servers.runtime.errors import InvalidRequest
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

log = structlog.get_logger("kari.production_memory")


@dataclass(frozen=True)
class Ended:
    """An ended turn and its answer, which it may lack."""

    turn: Turn
    answer: Message | None
    next_led: LedTurn | None = None
    repeated: bool = False


class Ending:
    """Ends turns, each once: whoever repeats it is given the first end."""

    def __init__(
        self, database: Resource[Database], buffering: Buffering, jobs: Jobs, quiet: Quiet
    ) -> None:
        self._database = database
        self._quiet = quiet
        self._buffering = buffering
        self._jobs = jobs

    async def finish(self, tenant_id: str, request: FinishTurnRequest) -> Ended:
        """Commits how the turn ended. Conflict if another one leads it; NotFound if there is no
        such turn; InvalidRequest if it completed without an answer."""
        _require_answer(request)
        self._quiet.disturb()
        database = await self._database.get()
        with written("finish_turn"):
            async with database.transaction(tenant_id) as connection:
                ended = await self._finish(connection, request)
        if not ended.repeated:
            self._jobs.wake()
            await self._buffering.keep(tenant_id, [ended.answer] if ended.answer else [])
        log.info("turn ended", turn=request.turn_id, state=name_of(ended.turn.state))
        return ended

    async def cancel(self, tenant_id: str, turn_id: str) -> Turn:
        """Marks a turn as called off. One that still waits for a leader, or for its user, ends here
        and now."""
        database = await self._database.get()
        answer = None
        with written("request_cancel"):
            async with database.transaction(tenant_id) as connection:
                row = await locked_turn(connection, turn_id)
                if asks(row):
                    ended = await call_off_asking(connection, self._jobs, row)
                    turn, answer = turn_of(ended.row), ended.answer
                else:
                    turn = await _call_off(connection, row)
        if answer is not None:
            self._jobs.wake()
            await self._buffering.keep(tenant_id, [answer])
        log.info("turn called off", turn=turn_id, state=name_of(turn.state))
        return turn

    async def _finish(self, connection: Connection, request: FinishTurnRequest) -> Ended:
        row = await locked_turn(connection, request.turn_id)
        require_lease(row, request.lease.number)
        if row["state"] in ENDED:
            answer = await message(connection, row["assistant_message_id"])
            next_led = await _claimed_before(connection, row["conversation_id"], request)
            return Ended(turn_of(row), answer, next_led, repeated=True)
        ended = await commit_end(connection, self._jobs, row, request)
        next_led = None
        if ended.row["others_wait"]:
            next_led = await _claim_next(connection, row["conversation_id"], request)
        return Ended(turn_of(ended.row), ended.answer, next_led)


async def _call_off(connection: Connection, row: Record) -> Turn:
    """A turn that does not wait for its user; one that is over stays as it is."""
    if row["state"] not in ENDED:
        query = QUERIES.cancel_waiting if row["state"] == "accepted" else QUERIES.request_cancel
        await connection.execute(query, row["id"])
        row = await turn_row(connection, row["id"])
    return await turn_with_pending(connection, row)


async def _claim_next(
    connection: Connection, conversation_id: str, request: FinishTurnRequest
) -> LedTurn | None:
    if not request.HasField("next_lease"):
        return None
    return await claim_waiting(connection, conversation_id, request.next_lease)


async def _claimed_before(
    connection: Connection, conversation_id: str, request: FinishTurnRequest
) -> LedTurn | None:
    """The turn that the first request claimed, whose answer may have been lost on its way; else the
    one that waits."""
    if not request.HasField("next_lease"):
        return None
    owner = request.next_lease.owner
    row = await connection.fetchrow(QUERIES.claimed_before, conversation_id, owner)
    if row is not None:
        return await led_turn(connection, row, owner)
    return await _claim_next(connection, conversation_id, request)


def _require_answer(request: FinishTurnRequest) -> None:
    if request.state == TurnState.TURN_STATE_COMPLETED and not request.content:
        raise InvalidRequest(
            Reason.REASON_FIELD_INVALID,
            "a completed turn has an answer; without one it failed or was cancelled",
            violations=[("content", "is empty although the turn completed")],
        )
