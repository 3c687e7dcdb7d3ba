"""Capsules as tools: `capsule.<name>`, run by their server."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import structlog

from kari.capsules.v1.capsules_pb2 import (
    Capsule,
    CapsuleResult,
    ExecuteRequest,
    ListCapsulesRequest,
)
from kari.conversation_models.v1.tool_pb2 import (
    ApprovalPolicy,
    SideEffects,
    ToolProgress,
    ToolSource,
)
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Call, acting, current, principal
from servers.runtime.errors import Unavailable, from_envelope
from servers.tool_integration.tool import Invocation, Json, Offer, Tool

if TYPE_CHECKING:
    from kari.capsules.v1.capsules_pb2_grpc import CapsulesServiceAsyncStub

KNOWN_SECONDS = 2.0
"""How long a list counts: a capsule that came is a tool that soon."""
LIST_SECONDS = 2.0
PAGE = 200
MARGIN_SECONDS = 5.0
"""Beside the time of a run: it is the capsules' server that ends one."""
MOST_ROLES = 256
CALLS_PER_MINUTE, CALLS_PER_HOUR = 30, 300
RESUME = "resume_run_id"
RESUMES: Mapping[str, Json] = {
    "type": "string",
    "pattern": "^run_[0-9a-f]{32}$",
    "description": "A run that did not come to its end, to go on with it; then nothing else is "
    "needed.",
}
AWAY = "the server of capsules does not answer; try again"

log = structlog.get_logger("kari.tool_integration")


class Listed:
    """What somebody with some roles was told, and when."""

    def __init__(self, offers: Sequence[Offer], capsules: Sequence[Capsule], at: float) -> None:
        self.offers = offers
        self.capsules = capsules
        self.at = at


class CapsuleSource:
    """The capsules that a caller's roles allow. `clock` is in seconds."""

    def __init__(self, stub: "CapsulesServiceAsyncStub", clock: Callable[[], float]) -> None:
        self._stub = stub
        self._clock = clock
        self._known: dict[frozenset[str], Listed] = {}
        self._lock = asyncio.Lock()

    async def offers(self) -> Sequence[Offer]:
        """A tool for each; the same object until one comes, changes or goes."""
        roles = principal().roles
        known = self._fresh(roles)
        if known is None:
            async with self._lock:
                known = self._fresh(roles) or await self._look(roles)
        return known.offers

    def _fresh(self, roles: frozenset[str]) -> Listed | None:
        known = self._known.get(roles)
        return known if known and self._clock() - known.at < KNOWN_SECONDS else None

    async def _look(self, roles: frozenset[str]) -> Listed:
        before = self._known.get(roles)
        try:
            async with asyncio.timeout(LIST_SECONDS):
                capsules = await self._list()
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            log.warning("capsules cannot be listed", error=type(error).__name__)
            found = _away(before, self._clock())
        else:
            offers = [_offer(capsule, _Handler(self._stub)) for capsule in capsules]
            found = Listed(offers, capsules, self._clock())
            if before is not None and before.capsules == capsules:
                found = Listed(before.offers, capsules, self._clock())
        if len(self._known) >= MOST_ROLES:
            self._known.clear()
        self._known[roles] = found
        return found

    async def _list(self) -> Sequence[Capsule]:
        found, token = list[Capsule](), ""
        with acting(_without_deadline(current())):
            while True:
                request = ListCapsulesRequest(page_size=PAGE, page_token=token)
                page = await self._stub.ListCapsules(request)
                found += page.capsules
                if not (token := page.next_page_token):
                    break
        # Of two with one id the first counts.
        return list({capsule.id: capsule for capsule in reversed(found)}.values())[::-1]


class _Handler:
    """Runs capsules."""

    def __init__(self, stub: "CapsulesServiceAsyncStub") -> None:
        self._stub = stub

    async def __call__(self, arguments: Mapping[str, Json], invocation: Invocation) -> Json:
        """The result of a run."""
        call = self._stub.Execute(_request(arguments, invocation))
        try:
            async for step in call:
                if step.HasField("progress"):
                    invocation.report(step.progress)
                elif step.HasField("finished"):
                    return _value(step.finished, invocation)
        finally:
            call.cancel()
        raise Unavailable(
            Reason.REASON_TOOL_FAILED, f"`{invocation.tool_id}` ended without a result"
        )


def parameters(capsule: Capsule) -> dict[str, Any]:
    """The input's schema; of one that keeps checkpoints, with the run to go on with instead."""
    schema: dict[str, Any] = json.loads(capsule.input_schema)
    if not capsule.resumable:
        return schema
    properties = {**schema.get("properties", {}), RESUME: RESUMES}
    required = schema.pop("required", [])
    schema["properties"] = properties
    if required:
        schema["if"] = {"not": {"required": [RESUME]}}
        schema["then"] = {"required": required}
    return schema


def _request(arguments: Mapping[str, Json], invocation: Invocation) -> ExecuteRequest:
    given = dict(arguments)
    resume = given.pop(RESUME, "")
    return ExecuteRequest(
        capsule_id=invocation.tool_id,
        input_json=json.dumps(given, ensure_ascii=False),
        conversation_id=invocation.conversation_id,
        turn_id=invocation.turn_id,
        resume_run_id=resume if isinstance(resume, str) else "",
        call_id=invocation.call_id,
        depth=invocation.depth,
    )


def _value(finished: CapsuleResult, invocation: Invocation) -> Json:
    for warning in finished.warnings:
        invocation.report(ToolProgress(message=warning.message))
    if finished.success:
        return json.loads(finished.result_json)
    error = from_envelope(finished.error)
    if finished.resumable:
        error.details = {**error.details, "run_id": finished.run_id, "resumable": "true"}
    raise error


def _offer(capsule: Capsule, handler: _Handler) -> Offer:
    beyond = capsule.side_effects not in (
        SideEffects.SIDE_EFFECTS_NONE,
        SideEffects.SIDE_EFFECTS_CONVERSATION,
    )
    always, never = ApprovalPolicy.APPROVAL_POLICY_ALWAYS, ApprovalPolicy.APPROVAL_POLICY_NEVER
    readable = bool(capsule.input_schema)
    tool = Tool(
        id=capsule.id,
        name=capsule.name or capsule.id,
        description=capsule.description,
        parameters=parameters(capsule) if readable else {"type": "object"},
        result=json.loads(capsule.result_schema) if capsule.result_schema else None,
        roles=frozenset({"chat.user", *capsule.required_roles}),
        calls_per_minute=CALLS_PER_MINUTE,
        calls_per_hour=CALLS_PER_HOUR,
        timeout=capsule.max_execution_time.ToTimedelta().total_seconds() + MARGIN_SECONDS,
        idempotent=capsule.side_effects == SideEffects.SIDE_EFFECTS_NONE,
        side_effects=capsule.side_effects,
        approval=always if readable and beyond else never,
        source=ToolSource.TOOL_SOURCE_CAPSULE,
    )
    return Offer(tool, handler, unavailable=capsule.unavailable_because)


def _away(before: Listed | None, now: float) -> Listed:
    """What was known stays, as unavailable."""
    if before is None:
        return Listed((), (), now)
    if all(offer.unavailable for offer in before.offers):
        return Listed(before.offers, (), now)
    away = [o if o.unavailable else replace(o, unavailable=AWAY) for o in before.offers]
    return Listed(away, (), now)


def _without_deadline(call: Call) -> Call:
    """A list serves others as well: a hurried caller does not cut it short."""
    return replace(call, deadline=None)
