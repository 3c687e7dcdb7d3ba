"""Making changes: all of a request in one transaction, each with its entry in the log."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter

from kari.conversation_models.v1.conversation_pb2 import Conversation, ConversationChange
from servers.conversation_manager.changes import (
    apply_all,
    clears_context,
    difference,
    field_of,
    pins_of,
    require_version,
)
from servers.conversation_manager.conversation import columns_of, digest_of, require_same, timestamp
from servers.conversation_manager.history import History
from servers.conversation_manager.tables import QUERIES, locked_conversation_for
from servers.runtime.call import Principal
from servers.runtime.labelled import labelled
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

UPDATES = Counter(
    "kari_chat_conversation_updates_total", "Changes of conversations that were made.", ("field",)
)

log = structlog.get_logger("kari.conversation_manager")


@dataclass(frozen=True)
class Update:
    """Changes to make, for whom and under which ids. `expected_version` 0 means any."""

    conversation_id: str
    changes: Sequence[ConversationChange]
    who: Principal
    request_id: str
    correlation_id: str
    expected_version: int = 0


class Updating:
    """The only way in which a conversation's configuration changes."""

    def __init__(self, database: Resource[Database], history: History) -> None:
        self._database = database
        self._history = history

    async def update(self, update: Update) -> Conversation:
        """Makes the changes, all or none. Repeating the request changes nothing more. NotFound,
        Conflict or InvalidRequest say why they cannot be made."""
        latest_sequence = await self.look(update.conversation_id, update.changes, update.who)
        database = await self._database.get()
        async with database.transaction(update.who.tenant_id) as connection:
            changed, made = await make(connection, update, latest_sequence)
        if made:
            count(update.changes)
        return changed

    async def look(
        self, conversation_id: str, changes: Sequence[ConversationChange], who: Principal
    ) -> int:
        """Asks for what changes depend on elsewhere, before a row is locked: messages to be pinned
        have to be there. Gives the sequence of the last message, if a change needs it."""
        await self._history.require_messages(conversation_id, pins_of(changes), who)
        if not clears_context(changes):
            return 0
        return await self._history.latest_sequence(conversation_id, who)


async def make(
    connection: Connection, update: Update, latest_sequence: int
) -> tuple[Conversation, bool]:
    """Makes changes in this transaction; False if they were made before."""
    before = await locked_conversation_for(connection, update.conversation_id, update.who.user_id)
    digest = digest_of(update.who.user_id, *update.changes)
    first = await connection.fetchval(
        QUERIES.made_before, update.conversation_id, update.request_id
    )
    if first is not None:
        require_same(first, digest)
        return before, False
    require_version(before, update.expected_version)
    after = apply_all(before, update.changes, latest_sequence)
    await _write(connection, before, after)
    await _record(connection, update, digest, before.version)
    return after, True


def count(changes: Sequence[ConversationChange]) -> None:
    """Counts changes that are committed."""
    for change in changes:
        labelled(UPDATES, field_of(change)).inc()
    log.info("conversation changed", fields=[field_of(change) for change in changes])


async def _write(connection: Connection, before: Conversation, after: Conversation) -> None:
    """Stores the conversation; sets its `updated_at` to what was stored."""
    updated_at = await connection.fetchval(QUERIES.write_conversation, *columns_of(after))
    left, came = difference(before.participant_ids, after.participant_ids)
    if left:
        await connection.execute(QUERIES.remove_participants, after.id, left)
    if came:
        await connection.execute(QUERIES.add_participants, after.id, came)
    await connection.execute(QUERIES.touch_participants, after.id, updated_at)
    after.updated_at.CopyFrom(timestamp(updated_at))


async def _record(
    connection: Connection, update: Update, digest: bytes, version_before: int
) -> None:
    versions = range(version_before + 1, version_before + 1 + len(update.changes))
    await connection.execute(
        QUERIES.add_updates,
        update.conversation_id,
        update.who.user_id,
        update.request_id,
        digest,
        update.correlation_id,
        list(versions),
        [field_of(change) for change in update.changes],
        [change.SerializeToString(deterministic=True) for change in update.changes],
    )
