"""Whether a run may be: looked at in a fixed order before anything of the capsule runs."""

import json
from dataclasses import dataclass
from typing import Any

from kari.capsules.v1.capsules_pb2 import ExecuteRequest
from kari.conversation_manager.v1.conversation_manager_pb2 import GetConversationRequest
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.errors.v1.errors_pb2 import Reason
from servers.capsules.catalogue import Catalogue
from servers.capsules.manifest import Manifest
from servers.capsules.peers import Peers
from servers.capsules.store import RunKey, Runs
from servers.capsules.version import Handler, Version
from servers.runtime.call import Principal
from servers.runtime.errors import (
    Forbidden,
    InvalidRequest,
    KariError,
    NotFound,
    Unavailable,
)
from servers.runtime.ids import new_id
from servers.runtime.schemas import Schema

MOST_DEPTH = 2
"""Tools around a run: one of a model or user, then those of capsules."""


@dataclass(frozen=True)
class Admitted:
    """A run that may be, with the version and the handler that it keeps to its end."""

    version: Version
    handler: Handler
    run_id: str
    holder: str
    input: Any
    input_json: str
    conversation: Conversation | None = None
    resumed: bool = False


class Admitting:
    """Looks at wishes for runs."""

    def __init__(self, catalogue: Catalogue, peers: Peers, runs: Runs) -> None:
        self._catalogue = catalogue
        self._peers = peers
        self._runs = runs

    async def admit(self, request: ExecuteRequest, who: Principal) -> Admitted:
        """The run; KariError says why there is none. In this order: known, role, available, depth,
        run or input, conversation."""
        version, handler = self._usable(request.capsule_id, who)
        if request.depth > MOST_DEPTH:
            raise InvalidRequest(
                Reason.REASON_TOOL_DEPTH,
                f"capsules and tools call each other {MOST_DEPTH} deep at most",
                limit=MOST_DEPTH,
            )
        if request.resume_run_id:
            return await self._resumed(request, who, version, handler)
        given = _checked(request.input_json, version.input)
        conversation = await self._conversation(request.conversation_id)
        run_id, holder = new_id("run"), new_id("holder")
        return Admitted(version, handler, run_id, holder, given, request.input_json, conversation)

    def _usable(self, capsule_id: str, who: Principal) -> tuple[Version, Handler]:
        entry = self._catalogue.find(capsule_id)
        if entry is None:
            raise NotFound(
                Reason.REASON_CAPSULE_NOT_FOUND,
                "there is no such capsule; `kari capsule list` shows them",
                capsule_id=capsule_id,
            )
        if entry.version is not None:
            check_roles(entry.version.manifest, who)
        if entry.version is None or entry.handler is None:
            raise Unavailable(
                Reason.REASON_TOOL_UNAVAILABLE,
                f"the capsule cannot be run: {entry.wrong}",
                retryable=False,
            )
        return entry.version, entry.handler

    async def _resumed(
        self, request: ExecuteRequest, who: Principal, version: Version, handler: Handler
    ) -> Admitted:
        """Goes on with what was asked then; the conversation has to be the user's still. The run
        is looked at and left as it is: it is taken when nothing can refuse it any more."""
        run_id, holder = request.resume_run_id, new_id("holder")
        found = await self._runs.find(RunKey(run_id, request.capsule_id, who, holder))
        text = json.dumps(found.input, ensure_ascii=False)
        given = _checked(text, version.input)
        conversation = await self._conversation(found.conversation_id)
        return Admitted(version, handler, run_id, holder, given, text, conversation, resumed=True)

    async def _conversation(self, conversation_id: str) -> Conversation | None:
        """It, if the user takes part in it: what is asked for later relies on that."""
        if not conversation_id:
            return None
        request = GetConversationRequest(conversation_id=conversation_id)
        return (await self._peers.conversations.GetConversation(request)).conversation


def check_roles(manifest: Manifest, who: Principal) -> None:
    """Forbidden if the user lacks a role that the capsule asks for."""
    missing = who.missing(frozenset(manifest.required_roles))
    if missing:
        raise Forbidden(
            Reason.REASON_ROLE_MISSING,
            f"this capsule needs the role {', '.join(sorted(missing))}",
            roles=",".join(sorted(missing)),
        )


def _checked(text: str, schema: Schema) -> Any:
    try:
        given = json.loads(text or "{}", parse_constant=_refuse)
        # Half a character, written as an escape, is JSON and no text that could be sent on.
        json.dumps(given, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise _invalid([("input_json", "is not JSON")]) from error
    found = schema.violations(given)
    if found:
        raise _invalid([(f"input{path}", message) for path, message in found])
    return given


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _invalid(violations: list[tuple[str, str]]) -> KariError:
    told = "; ".join(f"{path}: {message}" for path, message in violations)
    return InvalidRequest(
        Reason.REASON_TOOL_ARGUMENTS, f"the input is wrong: {told}", violations=violations
    )
