"""Capsules as tools: listed by their server, which runs them."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import grpc
import orjson
import structlog
from google.protobuf.json_format import MessageToDict

from kari.capsules.v1.capsules_pb2 import (
    Capsule,
    CapsuleResult,
    ExecuteRequest,
    ListCapsulesRequest,
)
from kari.conversation_models.v1.tool_pb2 import ApprovalPolicy, SideEffects, ToolSource
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import principal
from servers.runtime.errors import Unavailable, from_envelope
from servers.runtime.tool_warnings import WARNINGS
from servers.tool_integration import strict
from servers.tool_integration.resuming import RESUME, resuming
from servers.tool_integration.tool import Invocation, Json, Offer, Told, Tool

if TYPE_CHECKING:
    from kari.capsules.v1.capsules_pb2_grpc import CapsulesServiceAsyncStub

PREFIX = "capsule."
"""Of their ids, and of no others."""
KEPT_SECONDS = 2.0
LIST_SECONDS = 2.0
MOST_ROLES = 64
"""Sets of roles whose lists are remembered."""
CALLS_PER_MINUTE, CALLS_PER_HOUR = 30, 300
"""Of each user, as those of MCP servers; the tools file may say otherwise."""
MARGIN_SECONDS = 5.0
"""What a run may take beyond its own limit: the capsules server ends it, and tells how."""
MOST_WARNINGS = 20
"""Of a run that are passed on; a model reads them, and steps keep them."""
AWAY = "capsules cannot be run now: their server does not answer"

log = structlog.get_logger("kari.tool_integration")

Roles = frozenset[str]


@dataclass(frozen=True)
class _Known:
    """A list as it was told (None if the server was away), until when it holds, and the offers
    made of it."""

    capsules: Sequence[Capsule] | None
    until: float
    offers: tuple[Offer, ...]


class Capsules:
    """The capsules that the caller's roles allow. `clock` gives seconds that only grow."""

    def __init__(
        self, capsules: "CapsulesServiceAsyncStub", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capsules = capsules
        self._clock = clock
        self._known: dict[Roles, _Known] = {}
        self._seen: dict[str, Offer] = {}
        self._unreached: tuple[Offer, ...] | None = None

    async def offers(self) -> Sequence[Offer]:
        """See the protocol. What was told holds for two seconds; while their server is away they
        stay, as unavailable."""
        roles = principal().roles
        known = self._known.get(roles)
        if known is None or known.until <= self._clock():
            known = await self._looked(known)
            self._remember(roles, known)
        return known.offers

    async def settle(self, tool_id: str) -> None:
        """What was asked for is known, or their server is away."""

    def unknown(self, tool_id: str) -> str:
        """See the protocol: their server is away."""
        known = self._known.get(principal().roles)
        listed = known is not None and known.capsules is not None
        return "" if listed or not tool_id.startswith(PREFIX) else AWAY

    async def _looked(self, known: _Known | None) -> _Known:
        until = self._clock() + KEPT_SECONDS
        try:
            async with asyncio.timeout(LIST_SECONDS):
                told = await self._listed()
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            log.warning("capsules cannot be listed", error=type(error).__name__)
            return _Known(None, until, self._away())
        if known is not None and known.capsules == told:
            return replace(known, until=until)
        looked = _Known(told, until, tuple(self._offer(capsule) for capsule in told))
        if known is not None and known.capsules is not None:
            for offer in known.offers:
                self._seen.pop(offer.tool.id, None)
        self._seen |= {offer.tool.id: offer for offer in looked.offers}
        self._unreached = None
        return looked

    async def _listed(self) -> list[Capsule]:
        found, token = list[Capsule](), ""
        while True:
            page = await self._capsules.ListCapsules(
                ListCapsulesRequest(page_size=200, page_token=token)
            )
            found += page.capsules
            token = page.next_page_token
            if not token:
                # Of two with one id the first counts, and says so of the others.
                return list({each.id: each for each in reversed(found)}.values())[::-1]

    def _away(self) -> tuple[Offer, ...]:
        """Those that users of any roles have seen: the roles are looked at in any case."""
        if self._unreached is None:
            seen = self._seen.values()
            self._unreached = tuple(replace(offer, unavailable=AWAY) for offer in seen)
        return self._unreached

    def _remember(self, roles: Roles, known: _Known) -> None:
        self._known.pop(roles, None)
        self._known[roles] = known
        if len(self._known) > MOST_ROLES:
            self._known.pop(next(iter(self._known)))

    def _offer(self, capsule: Capsule) -> Offer:
        tool, wrong = _tool(capsule)
        said = capsule.unavailable_because or "it cannot be run"
        return Offer(tool, self._run, wrong or ("" if capsule.available else said))

    async def _run(self, arguments: Mapping[str, Json], invocation: Invocation) -> Json | Told:
        given = dict(arguments)
        request = ExecuteRequest(
            capsule_id=invocation.tool_id,
            resume_run_id=str(given.pop(RESUME, "")),
            input_json=json.dumps(given, ensure_ascii=False),
            conversation_id=invocation.conversation_id,
            turn_id=invocation.turn_id,
            call_id=invocation.call_id,
            depth=invocation.depth,
        )
        execution = self._capsules.Execute(request)
        try:
            async for event in execution:
                if event.HasField("progress"):
                    invocation.report(event.progress)
                elif event.HasField("finished"):
                    return _told(event.finished)
        finally:
            execution.cancel()
        raise Unavailable(
            Reason.REASON_CAPSULE_FAILED, "the capsule ended without a result", retryable=False
        )


def _tool(capsule: Capsule) -> tuple[Tool, str]:
    """A capsule as a tool, and what is wrong with its schemas; empty if nothing is."""
    parameters, result, wrong = {"type": "object"}, None, ""
    try:
        parameters = orjson.loads(capsule.input_schema or '{"type": "object"}')
        if capsule.resumable:
            parameters = resuming(parameters)
        result = orjson.loads(capsule.result_schema) if capsule.result_schema else None
    except orjson.JSONDecodeError:
        wrong = "its schema is not JSON"
    beyond = (SideEffects.SIDE_EFFECTS_UNSPECIFIED, SideEffects.SIDE_EFFECTS_BEYOND)
    asks = capsule.side_effects in beyond
    tool = Tool(
        id=capsule.id,
        name=capsule.name,
        description=capsule.description,
        parameters=parameters,
        result=result,
        roles=frozenset({"chat.user", *capsule.required_roles}),
        calls_per_minute=CALLS_PER_MINUTE,
        calls_per_hour=CALLS_PER_HOUR,
        timeout=capsule.max_execution_time.ToNanoseconds() / 1e9 + MARGIN_SECONDS,
        idempotent=False,
        side_effects=capsule.side_effects,
        approval=ApprovalPolicy.APPROVAL_POLICY_ALWAYS
        if asks
        else ApprovalPolicy.APPROVAL_POLICY_NEVER,
        source=ToolSource.TOOL_SOURCE_CAPSULE,
    )
    return tool, wrong


def _told(finished: CapsuleResult) -> Told:
    if not finished.success:
        error = from_envelope(finished.error)
        if finished.run_id:
            error.details["run_id"] = finished.run_id
            error.details["resumable"] = str(finished.resumable).lower()
        raise error
    metadata = MessageToDict(finished.metadata) | {"run_id": finished.run_id}
    if warnings := [warning.message for warning in finished.warnings]:
        metadata[WARNINGS] = warnings[:MOST_WARNINGS]
        if (left := len(warnings) - MOST_WARNINGS) > 0:
            metadata[WARNINGS].append(f"{left} more warnings were left out")
    if finished.metrics:
        metadata["metrics"] = dict(finished.metrics)
    return Told(_result(finished.result_json), metadata)


def _result(text: str) -> Json:
    try:
        return strict.loads(text or "null")
    except (ValueError, RecursionError) as error:
        raise Unavailable(
            Reason.REASON_TOOL_RESULT, "the capsule's result is not JSON", retryable=False
        ) from error
