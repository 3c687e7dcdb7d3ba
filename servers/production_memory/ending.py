"""Ending a turn: the answer, the turn's end and its jobs, in one transaction."""

from dataclasses import dataclass

import structlog
from asyncpg import Record

from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.turn_pb2 import Turn, TurnState
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import FinishTurnRequest, LedTurn
from servers.production_memory.buffering import Buffering
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.jobs import Job, Jobs
from servers.production_memory.leading import claim_waiting
from servers.production_memory.message import answer_message, storable
from servers.production_memory.quiet import Quiet
from servers.production_memory.tables import QUERIES, led_turn, message, one, turn_row
from servers.production_memory.turn import ENDED, name_of, require_lease, turn_of, unknown_turn
from servers.production_memory.vault.memory_jobs import LearnJob
from servers.production_memory.writes import written
from servers.runtime.errors import InvalidRequest
from servers.runtime.ids import new_id
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
        """Marks a turn as called off. One that still waits for a leader ends here and now."""
        database = await self._database.get()
        with written("request_cancel"):
            async with database.transaction(tenant_id) as connection:
                row = await _locked(connection, turn_id)
                if row["state"] not in ENDED:
                    waits = row["state"] == "accepted"
                    query = QUERIES.cancel_waiting if waits else QUERIES.request_cancel
                    await connection.execute(query, turn_id)
                    row = await turn_row(connection, turn_id)
        log.info("turn called off", turn=turn_id, state=row["state"])
        return turn_of(row)

    async def _finish(self, connection: Connection, request: FinishTurnRequest) -> Ended:
        row = await _locked(connection, request.turn_id)
        require_lease(row, request.lease.number)
        if row["state"] in ENDED:
            answer = await message(connection, row["assistant_message_id"])
            next_led = await _claimed_before(connection, row["conversation_id"], request)
            return Ended(turn_of(row), answer, next_led, repeated=True)
        ended = await _end(connection, row, request)
        answer = answer_message(request, ended) if request.content else None
        await self._jobs.enqueue(connection, *_jobs(ended, answer))
        next_led = None
        if ended["others_wait"]:
            next_led = await _claim_next(connection, row["conversation_id"], request)
        return Ended(turn_of(ended), answer, next_led)


def _jobs(turn: Record, answer: Message | None) -> list[Job]:
    """What is done once a turn has ended. Only who was answered has taught something: what failed
    or was called off is asked again, mostly."""
    ids = (turn["user_message_id"], *([answer.id] if answer else ()))
    jobs: list[Job] = [EmbedJob(turn["tenant_id"], ids)]
    if turn["teaches"] and turn["state"] == "completed":
        jobs.append(LearnJob(turn["tenant_id"], turn["id"]))
    return jobs


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


async def _locked(connection: Connection, turn_id: str) -> Record:
    """The turn's row, its thread locked."""
    row = await connection.fetchrow(QUERIES.locked_turn, turn_id)
    if row is None:
        raise unknown_turn()
    return row


async def _end(connection: Connection, turn: Record, request: FinishTurnRequest) -> Record:
    return await one(
        connection,
        QUERIES.finish_turn,
        request.turn_id,
        turn["conversation_id"],
        name_of(request.state),
        request.usage.SerializeToString() if request.HasField("usage") else None,
        [each.SerializeToString() for each in request.degradations],
        request.error.SerializeToString() if request.HasField("error") else None,
        new_id("msg") if request.content else "",
        storable(request.content),
        request.model_used,
        request.usage.completion_tokens,
        turn["user_message_id"],
        request.partial,
        request.apology,
    )


def _require_answer(request: FinishTurnRequest) -> None:
    if request.state == TurnState.TURN_STATE_COMPLETED and not request.content:
        raise InvalidRequest(
            Reason.REASON_FIELD_INVALID,
            "a completed turn has an answer; without one it failed or was cancelled",
            violations=[("content", "is empty although the turn completed")],
        )
