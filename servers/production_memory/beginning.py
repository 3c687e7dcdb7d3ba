"""Beginning a turn: the user's message and the turn, in one transaction."""

from dataclasses import dataclass

import structlog
from asyncpg import Record

from kari.conversation_models.v1.turn_pb2 import WhenBusy
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import BeginTurnRequest, LedTurn
from servers.production_memory.buffering import Buffering
from servers.production_memory.message import begun_message
from servers.production_memory.quiet import Quiet
from servers.production_memory.tables import QUERIES, led_turn, one, turn_row
from servers.production_memory.turn import (
    digest_of,
    led_turn_of,
    require_place,
    require_room,
    require_same,
)
from servers.production_memory.vault.facts import may_teach
from servers.production_memory.vault.gate import is_trivial
from servers.production_memory.vault.model_facts import READ_CHARACTERS
from servers.production_memory.writes import written
from servers.runtime.call import Principal
from servers.runtime.errors import NotFound
from servers.runtime.ids import new_id
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource
from servers.runtime.settings import Settings

log = structlog.get_logger("kari.production_memory")


@dataclass(frozen=True)
class Begun:
    """A turn that has begun, now or by an earlier request with the same id."""

    led_turn: LedTurn
    repeated: bool = False
    interrupted: tuple[str, ...] = ()


class Beginning:
    """Takes messages in. Requests of one conversation come one after the other: each locks its
    thread first, so that sequences have no gaps and a repeated request finds the first."""

    def __init__(
        self, database: Resource[Database], buffering: Buffering, quiet: Quiet, settings: Settings
    ) -> None:
        self._database = database
        self._quiet = quiet
        self._buffering = buffering
        self._settings = settings

    async def begin(self, request: BeginTurnRequest, who: Principal, correlation_id: str) -> Begun:
        """Commits the message and its turn. Conflict if the conversation is busy and the request
        does not say to wait, or if its id was used for another one; NotFound if it replies to a
        message that is not there; RateLimited if too many turns are under way or wait already."""
        self._quiet.disturb()
        database = await self._database.get()
        with written("begin_turn"):
            async with database.transaction(who.tenant_id) as connection:
                begun = await self._begin(connection, request, who, correlation_id)
        if not begun.repeated:
            await self._buffering.keep(who.tenant_id, [begun.led_turn.message])
        log.info("turn begun", turn=begun.led_turn.turn.id, repeated=begun.repeated)
        return begun

    async def _begin(
        self, connection: Connection, request: BeginTurnRequest, who: Principal, correlation_id: str
    ) -> Begun:
        found = await _look(connection, request, who)
        digest, owner = digest_of(request, who.user_id), request.lease.owner
        if found["repeated_turn_id"]:
            row = await turn_row(connection, found["repeated_turn_id"])
            require_same(row, digest)
            return Begun(await led_turn(connection, row, owner), repeated=True)
        require_place(request.when_busy, found["led_turn_id"] or found["waiting_turn_id"] or "")
        _require_reply(found)
        self._require_room(found)
        row = await self._insert(
            connection, request, who, correlation_id, digest, busy=_busy(found)
        )
        interrupted = await _interrupt(connection, request, found["led_turn_id"])
        return Begun(
            led_turn_of(row, begun_message(request, row, who.name), owner), interrupted=interrupted
        )

    async def _insert(
        self,
        connection: Connection,
        request: BeginTurnRequest,
        who: Principal,
        correlation_id: str,
        digest: bytes,
        *,
        busy: bool,
    ) -> Record:
        return await one(
            connection,
            QUERIES.begin_turn,
            request.conversation_id,
            new_id("msg"),
            request.content,
            who.user_id,
            new_id("turn"),
            request.reply_to_message_id,
            list(request.mentioned_user_ids),
            request.request_id,
            digest,
            "accepted" if busy else "assembling",
            sorted(who.roles),
            correlation_id,
            request.model,
            [each.SerializeToString(deterministic=True) for each in request.instructions],
            request.when_busy == WhenBusy.WHEN_BUSY_INTERRUPT,
            "" if busy else request.lease.owner,
            0 if busy else 1,
            None if busy else request.lease.duration.ToTimedelta(),
            who.name,
            self._teaches(request.content),
        )

    def _teaches(self, content: str) -> bool:
        """Whether something may be learned from a message, once its turn has ended: known here, it
        costs the end no look at the text."""
        if self._settings.memory_model:
            return not is_trivial(content[:READ_CHARACTERS])
        return may_teach(content)

    def _require_room(self, found: Record) -> None:
        limits = self._settings
        require_room(
            found["waiting_turns"], limits.waiting_turns_per_conversation, "of this conversation"
        )
        require_room(found["turns_of_user"], limits.turns_per_user, "of yours")


async def _look(connection: Connection, request: BeginTurnRequest, who: Principal) -> Record:
    """What there is already, with the thread and the sender locked."""
    await connection.fetchval(QUERIES.lock_thread, request.conversation_id, who.user_id)
    return await one(
        connection,
        QUERIES.look_before_beginning,
        request.conversation_id,
        request.request_id,
        request.reply_to_message_id,
        who.user_id,
    )


async def _interrupt(
    connection: Connection, request: BeginTurnRequest, led_turn_id: str | None
) -> tuple[str, ...]:
    if request.when_busy != WhenBusy.WHEN_BUSY_INTERRUPT or led_turn_id is None:
        return ()
    await connection.execute(QUERIES.request_cancel, led_turn_id)
    return (led_turn_id,)


def _busy(found: Record) -> bool:
    return bool(found["led_turn_id"] or found["waiting_turn_id"])


def _require_reply(found: Record) -> None:
    if not found["reply_exists"]:
        raise NotFound(
            Reason.REASON_MESSAGE_NOT_FOUND,
            "the message that is replied to is not in this conversation",
        )
