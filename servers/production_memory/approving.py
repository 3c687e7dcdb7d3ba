"""Answering whether a tool may run: the turn goes on with the last answer."""

from dataclasses import dataclass

import structlog
from asyncpg import Record

from kari.conversation_models.v1.turn_pb2 import Turn
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import AnswerApprovalRequest, LedTurn
from servers.production_memory.tables import (
    STEPS,
    led_turn,
    locked_turn,
    one,
    turn_with_pending,
)
from servers.production_memory.tool_step import was_allowed
from servers.production_memory.turn import AWAITING_APPROVAL, asks
from servers.production_memory.writes import written
from servers.runtime.call import Principal
from servers.runtime.errors import NotFound
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

log = structlog.get_logger("kari.production_memory")


@dataclass(frozen=True)
class Answered:
    """A turn after an answer; leased if that was the last one."""

    turn: Turn
    approved: bool
    """By the answer that holds, which is the first."""
    led_turn: LedTurn | None = None
    repeated: bool = False


class Approving:
    """Takes answers. Those of one conversation come one after the other, as do calling a turn off
    and claiming it: each locks the thread first, so that one of them leads the turn on."""

    def __init__(self, database: Resource[Database]) -> None:
        self._database = database

    async def answer(self, request: AnswerApprovalRequest, who: Principal) -> Answered:
        """Keeps an answer of the turn's user. NotFound if there is no such turn, nobody asks, or
        somebody else was asked."""
        database = await self._database.get()
        with written("answer_approval"):
            async with database.transaction(who.tenant_id) as connection:
                row = await locked_turn(connection, request.turn_id)
                if row["user_id"] != who.user_id:
                    raise _nobody_asks()
                if asks(row) and await _keep(connection, request):
                    answered = await _lead_on(connection, request, who)
                else:
                    answered = await _repeated(connection, request, row)
        log.info("approval answered", turn=request.turn_id, repeated=answered.repeated)
        return answered


async def _keep(connection: Connection, request: AnswerApprovalRequest) -> bool:
    """Whether there was such a question."""
    state = "approved" if request.approved else "denied"
    kept = await connection.fetchval(STEPS.answer_step, request.turn_id, request.call_id, state)
    return kept is not None


async def _lead_on(
    connection: Connection, request: AnswerApprovalRequest, who: Principal
) -> Answered:
    """Leases the turn if nothing is asked any more. What its user may has to hold now: a question
    can wait for longer than a role is held."""
    owner, duration = request.lease.owner, request.lease.duration.ToTimedelta()
    row = await one(
        connection, STEPS.lead_if_answered, request.turn_id, owner, duration, sorted(who.roles)
    )
    if asks(row):
        return Answered(await turn_with_pending(connection, row), request.approved)
    led = await led_turn(connection, row, owner)
    return Answered(led.turn, request.approved, led)


async def _repeated(
    connection: Connection, request: AnswerApprovalRequest, row: Record
) -> Answered:
    """The turn as it stands, if the question was answered before. Who leads it by that answer and
    has not begun may have lost the response, and is given its claim again."""
    step = await connection.fetchrow(STEPS.answered_step, request.turn_id, request.call_id)
    if step is None:
        raise _nobody_asks()
    held = was_allowed(step)
    if row["state"] == AWAITING_APPROVAL and row["lease_owner"] == request.lease.owner:
        led = await led_turn(connection, row, request.lease.owner)
        return Answered(led.turn, held, led, repeated=True)
    return Answered(await turn_with_pending(connection, row), held, repeated=True)


def _nobody_asks() -> NotFound:
    return NotFound(
        Reason.REASON_CALL_NOT_FOUND,
        "there is no such question to you, or it was answered, called off or lapsed; "
        "look at the turn for what it still asks",
    )
