"""Beginning a turn: the user's message and the turn, in one transaction."""

from dataclasses import dataclass

import structlog
from asyncpg import Record

from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.turn_pb2 import WhenBusy
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import BeginTurnRequest, LedTurn
from servers.production_memory.buffering import Buffering
from servers.production_memory.committing import call_off_asking
from servers.production_memory.files import share
from servers.production_memory.jobs import Jobs
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
    cut_off: Message | None = None
    """What the interrupted turn had said, if it ended here."""


class Beginning:
    """Takes messages in. Requests of one conversation come one after the other: each locks its
    thread first, so that sequences have no gaps and a repeated request finds the first."""

    def __init__(
        self,
        database: Resource[Database],
        buffering: Buffering,
        jobs: Jobs,
        quiet: Quiet,
        settings: Settings,
    ) -> None:
        self._database = database
        self._jobs = jobs
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
            await self._buffer(who.tenant_id, begun)
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
        interrupted, cut_off = await self._interrupt(connection, request, found)
        busy = _busy(found) and found["asking_turn_id"] not in interrupted
        row = await self._insert(connection, request, who, correlation_id, digest, busy=busy)
        if request.file_ids:
            await share(connection, request.file_ids, request.conversation_id, who.user_id)
        message = begun_message(request, row, who.name)
        return Begun(led_turn_of(row, message, owner), interrupted=interrupted, cut_off=cut_off)

    async def _interrupt(
        self, connection: Connection, request: BeginTurnRequest, found: Record
    ) -> tuple[tuple[str, ...], Message | None]:
        """Calls off what is under way. A turn that waits for its user ends here, before the message
        that interrupts it: nobody leads it, and this one goes first."""
        turn_id = found["led_turn_id"]
        if request.when_busy != WhenBusy.WHEN_BUSY_INTERRUPT or turn_id is None:
            return (), None
        if not found["asking_turn_id"]:
            await connection.execute(QUERIES.request_cancel, turn_id)
            return (turn_id,), None
        ended = await call_off_asking(connection, self._jobs, await turn_row(connection, turn_id))
        return (turn_id,), ended.answer

    async def _buffer(self, tenant_id: str, begun: Begun) -> None:
        cut_off = [begun.cut_off] if begun.cut_off else []
        if cut_off:
            self._jobs.wake()
        await self._buffering.keep(tenant_id, [*cut_off, begun.led_turn.message])

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
            list(request.file_ids),
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


def _busy(found: Record) -> bool:
    return bool(found["led_turn_id"] or found["waiting_turn_id"])


def _require_reply(found: Record) -> None:
    if not found["reply_exists"]:
        raise NotFound(
            Reason.REASON_MESSAGE_NOT_FOUND,
            "the message that is replied to is not in this conversation",
        )
