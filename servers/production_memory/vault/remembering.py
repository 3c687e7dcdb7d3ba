"""What users ask to be remembered, and what they correct."""

from collections.abc import Sequence

from asyncpg import Record

from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import CorrectMemoryRequest, RememberRequest
from servers.production_memory.tables import one
from servers.production_memory.vault.facts import Fact, facts_of
from servers.production_memory.vault.gate import Claim, Decision
from servers.production_memory.vault.memory import kind_name, owner_of
from servers.production_memory.vault.permission import require_may_write, unknown_memory
from servers.production_memory.vault.personal_data import without_personal_data
from servers.production_memory.vault.requests import Source, Written, digest_of, note, repeated
from servers.production_memory.vault.statement import normalized
from servers.production_memory.vault.tables import QUERIES, lock_owners
from servers.production_memory.vault.writing import Detail, Statement, Writing
from servers.production_memory.writes import written
from servers.runtime.call import Principal
from servers.runtime.errors import Conflict, NotFound
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

ASKED_IMPORTANCE = 10
"""Somebody asked for it."""


class Remembering:
    """Keeps the words of whoever asks; what they are about is found by the rules of facts."""

    def __init__(self, database: Resource[Database], writing: Writing) -> None:
        self._database = database
        self._writing = writing

    async def remember(self, request: RememberRequest, who: Principal) -> Written:
        """Stores one statement through the write gate. Forbidden for the domain without the role;
        NotFound if its evidence is not in the conversation."""
        owner = owner_of(request.scope, who.user_id)
        require_may_write(owner, who)
        await self._require_evidence(who.tenant_id, request)
        claim = self._claim(request.content, kind_name(request.kind), owner)
        detail = Detail(
            request.importance or ASKED_IMPORTANCE,
            "asked",
            request.conversation_id,
            list(request.evidence_message_ids),
        )
        source = Source(who.user_id, "remember", request.request_id, _essence(request))
        return await self._writing.write(who.tenant_id, owner, claim, detail, source)

    async def correct(self, request: CorrectMemoryRequest, who: Principal) -> Written:
        """Puts a statement in the place of a memory that holds. NotFound if it is not the caller's,
        Conflict if something has taken its place already."""
        database = await self._database.get()
        source = Source(who.user_id, "correct", request.request_id, _essence(request))
        with written("memories"):
            async with database.transaction(who.tenant_id) as connection:
                old = await _locked(connection, request.memory_id, who)
                result = await repeated(connection, source)
                if result is None:
                    result = await self._correct(connection, old, request.content)
                    await note(connection, source, result)
        self._writing.wake()
        return result

    async def _correct(self, connection: Connection, old: Record, content: str) -> Written:
        if old["valid_to"] is not None:
            raise Conflict(
                Reason.REASON_VERSION_CONFLICT,
                "this memory no longer holds; correct the one that took its place",
                memory_id=old["replaced_by"],
            )
        claim = _in_place_of(old, self._claim(without_personal_data(content), "", old["user_id"]))
        found = await connection.fetch(
            QUERIES.holding_like, old["user_id"], claim.meaning, claim.slot, []
        )
        same = next((row for row in found if row["meaning"] == claim.meaning), None)
        if same is not None and same["content"] == claim.content:
            return await self._is_known(connection, old, same, claim)
        rivals = {row["id"] for row in found if claim.slot and row["slot"] == claim.slot}
        if same is not None:
            rivals.add(same["id"])
        replaces = (old["id"], *sorted(rivals - {old["id"]}))
        detail = Detail(
            old["importance"], "asked", old["conversation_id"], old["evidence_message_ids"]
        )
        statement = Statement(claim, detail, {})
        decision = Decision(replaces=replaces, slot=claim.slot)
        return await self._writing.add(connection, old["user_id"], statement, decision)

    async def _is_known(
        self, connection: Connection, old: Record, same: Record, claim: Claim
    ) -> Written:
        """Another memory says so already, or this one did: it is confirmed."""
        row = await one(connection, QUERIES.confirm_memory, same["id"], claim.stated_at)
        if same["id"] == old["id"]:
            return Written(row, "duplicate")
        await connection.execute(QUERIES.replace_memories, [old["id"]], claim.stated_at, same["id"])
        await self._writing.enqueue(connection, old["tenant_id"], [old["id"]])
        return Written(row, "replaced", await one(connection, QUERIES.memory, old["id"]))

    def _claim(self, content: str, kind: str, owner: str) -> Claim:
        """Only users speak of themselves; what the domain knows has no slots."""
        facts: Sequence[Fact] = facts_of(content) if owner else ()
        fact = facts[0] if len(facts) == 1 else None
        return Claim(
            content.strip(),
            self._writing.clock(),
            kind=kind or (fact.kind if fact else "semantic"),
            slot=fact.slot if fact else "",
            value=fact.value if fact else "",
            negated=fact.negated if fact else False,
            recognized=fact is not None,
        )

    async def _require_evidence(self, tenant_id: str, request: RememberRequest) -> None:
        wanted = set(request.evidence_message_ids)
        if not wanted:
            return
        database = await self._database.get()
        found = await database.value(
            tenant_id, QUERIES.count_messages, request.conversation_id, list(wanted)
        )
        if found != len(wanted):
            raise NotFound(
                Reason.REASON_MESSAGE_NOT_FOUND,
                "`evidence_message_ids` names messages that are not in this conversation",
            )


async def _locked(connection: Connection, memory_id: str, who: Principal) -> Record:
    """The memory's row, its owner locked; NotFound or Forbidden if the caller may not write it."""
    row = await connection.fetchrow(QUERIES.memory, memory_id)
    if row is None:
        raise unknown_memory()
    require_may_write(row["user_id"], who)
    await lock_owners(connection, row["user_id"], who.user_id)
    row = await connection.fetchrow(QUERIES.memory, memory_id)
    if row is None:
        raise unknown_memory()
    return row


def _in_place_of(old: Record, claim: Claim) -> Claim:
    """A correction is about the same as what it corrects, unless it says otherwise."""
    slot = claim.slot or old["slot"]
    value = claim.value if claim.slot else normalized(claim.content)
    return Claim(
        claim.content,
        claim.stated_at,
        kind=old["kind"],
        slot=slot,
        value=value if slot else "",
        negated=claim.negated,
        recognized=True,
    )


def _essence(request: RememberRequest | CorrectMemoryRequest) -> bytes:
    essence = type(request)()
    essence.CopyFrom(request)  # type: ignore[arg-type]  # it is of its own type
    essence.ClearField("request_id")
    return digest_of(essence.SerializeToString(deterministic=True))
