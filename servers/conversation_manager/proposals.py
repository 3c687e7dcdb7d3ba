"""Proposals: changes that wait until the one who asked for them confirms."""

from collections.abc import Sequence
from datetime import timedelta

import structlog
from asyncpg import Record
from google.protobuf.timestamp_pb2 import Timestamp

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    AnswerProposalRequest,
    ProposeUpdateRequest,
)
from kari.conversation_models.v1.conversation_pb2 import Conversation, ConversationChange
from kari.errors.v1.errors_pb2 import Reason
from servers.conversation_manager.changes import apply_all
from servers.conversation_manager.conversation import digest_of, require_same, timestamp
from servers.conversation_manager.tables import QUERIES, conversation_for
from servers.conversation_manager.updating import Update, Updating, count, make
from servers.runtime.call import Principal
from servers.runtime.errors import Forbidden, NotFound
from servers.runtime.ids import new_id
from servers.runtime.policy import FieldRoles
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

LIFETIME = timedelta(minutes=10)

log = structlog.get_logger("kari.conversation_manager")


class Proposals:
    """Keeps proposals for ten minutes. Only who proposed can answer, once."""

    def __init__(self, database: Resource[Database], updating: Updating) -> None:
        self._database = database
        self._updating = updating
        self._field_roles = FieldRoles()

    async def propose(self, request: ProposeUpdateRequest, who: Principal) -> tuple[str, Timestamp]:
        """Keeps changes that could be made now; gives the proposal's id and when it lapses. The
        first proposal of a repeated request is given again, whether or not it could be made now."""
        database = await self._database.get()
        async with database.transaction(who.tenant_id) as connection:
            await conversation_for(connection, request.conversation_id, who.user_id)
            first = await _proposed_before(connection, request, who)
        if first is None:
            latest = await self._updating.look(request.conversation_id, request.changes, who)
            async with database.transaction(who.tenant_id) as connection:
                first = await _propose(connection, request, who, latest)
        return first["id"], timestamp(first["expires_at"])

    async def answer(
        self, request: AnswerProposalRequest, who: Principal, correlation_id: str
    ) -> tuple[Conversation, Sequence[ConversationChange]]:
        """Makes or drops the proposed changes; the same answer again gives the same result.
        Forbidden if the user lost a role since then."""
        changes = await self._changes(request, who)
        update = Update(request.conversation_id, changes, who, request.proposal_id, correlation_id)
        latest = 0
        if request.accepted:
            self._require_roles(changes, who)
            latest = await self._updating.look(request.conversation_id, changes, who)
        database = await self._database.get()
        async with database.transaction(who.tenant_id) as connection:
            conversation, made = await _answer(connection, request, update, latest)
        if made:
            count(changes)
        log.info("proposal answered", proposal=request.proposal_id, accepted=request.accepted)
        return conversation, changes

    async def _changes(
        self, request: AnswerProposalRequest, who: Principal
    ) -> list[ConversationChange]:
        database = await self._database.get()
        async with database.transaction(who.tenant_id) as connection:
            row = await connection.fetchrow(QUERIES.proposal, request.proposal_id)
        return [
            ConversationChange.FromString(each) for each in _valid(row, request, who)["changes"]
        ]

    def _require_roles(self, changes: Sequence[ConversationChange], who: Principal) -> None:
        """The contract's roles were asked for when the changes were proposed; a role can be lost
        in between."""
        needed = [self._field_roles.required(change) for change in changes]
        missing = who.missing(frozenset[str]().union(*needed))
        if missing:
            names = ", ".join(sorted(missing))
            raise Forbidden(Reason.REASON_ROLE_MISSING, f"this needs the role {names}", role=names)


async def _propose(
    connection: Connection, request: ProposeUpdateRequest, who: Principal, latest_sequence: int
) -> Record:
    conversation = await conversation_for(connection, request.conversation_id, who.user_id)
    apply_all(conversation, request.changes, latest_sequence)
    await connection.execute(QUERIES.forget_proposals, request.conversation_id)
    row = await connection.fetchrow(
        QUERIES.add_proposal,
        new_id("prop"),
        request.conversation_id,
        who.user_id,
        request.request_id,
        digest_of(who.user_id, *request.changes),
        [change.SerializeToString(deterministic=True) for change in request.changes],
        LIFETIME,
    )
    row = row or await _proposed_before(connection, request, who)
    if row is None:
        raise LookupError("a proposal was in the way and is not there")
    return row


async def _proposed_before(
    connection: Connection, request: ProposeUpdateRequest, who: Principal
) -> Record | None:
    """The proposal of the same request; Conflict if the id was used for another one."""
    first = await connection.fetchrow(
        QUERIES.proposed_before, request.conversation_id, request.request_id
    )
    if first is not None:
        require_same(first["request_digest"], digest_of(who.user_id, *request.changes))
    return first


async def _answer(
    connection: Connection, request: AnswerProposalRequest, update: Update, latest_sequence: int
) -> tuple[Conversation, bool]:
    row = await connection.fetchrow(QUERIES.lock_proposal, request.proposal_id)
    _valid(row, request, update.who)
    await connection.execute(QUERIES.answer_proposal, request.proposal_id, request.accepted)
    if request.accepted:
        return await make(connection, update, latest_sequence)
    who = update.who.user_id
    return await conversation_for(connection, request.conversation_id, who), False


def _valid(row: Record | None, request: AnswerProposalRequest, who: Principal) -> Record:
    """The proposal, if this answer can be given to it."""
    if (
        row is None
        or row["conversation_id"] != request.conversation_id
        or row["user_id"] != who.user_id
        or (row["accepted"] is None and row["expired"])
        or row["accepted"] not in (None, request.accepted)
    ):
        raise NotFound(
            Reason.REASON_PROPOSAL_NOT_FOUND,
            "there is no such proposal of yours; it may have been answered or have lapsed",
        )
    return row
