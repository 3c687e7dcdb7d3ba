"""Code execution and capsules as scripts: what they are asked, and what they answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from kari.capsules.v1.capsules_pb2 import (
    Capsule,
    CapsuleResult,
    ExecuteRequest,
    ExecuteResponse,
    ListCapsulesRequest,
    ListCapsulesResponse,
    RunStarted,
)
from kari.capsules.v1.capsules_pb2_grpc import (
    CapsulesServiceServicer,
    add_CapsulesServiceServicer_to_server,
)
from kari.code_execution.v1.code_execution_pb2 import RunRequest, RunResponse
from kari.code_execution.v1.code_execution_pb2_grpc import (
    CodeExecutionServiceServicer,
    add_CodeExecutionServiceServicer_to_server,
)
from kari.conversation_models.v1.tool_pb2 import SideEffects, ToolProgress
from kari.errors.v1.errors_pb2 import ErrorEnvelope, ErrorType, Reason
from servers.runtime.bootstrap import Hosted
from servers.runtime.durations import duration
from servers.runtime.errors import Forbidden, Unavailable
from servers.wiring import contract_of


class ScriptedCode(CodeExecutionServiceServicer):
    """Answers every program with `answer`; without one, running code is off."""

    def __init__(self) -> None:
        self.asked: list[RunRequest] = []
        self.answer: RunResponse | None = None

    def forget(self) -> None:
        """Is as it was."""
        self.asked.clear()
        self.answer = None

    async def Run(self, request: RunRequest, context: Any) -> RunResponse:  # noqa: N802
        self.asked.append(request)
        if self.answer is None:
            raise Forbidden(Reason.REASON_CODE_DISABLED, "running code is off; turn it on")
        return self.answer

    async def ListRunners(self, request: Any, context: Any) -> Any:  # noqa: N802
        raise NotImplementedError

    def hosted(self) -> Hosted:
        add = add_CodeExecutionServiceServicer_to_server
        return Hosted("code_execution", contract_of("code_execution"), partial(add, self))


class ScriptedCapsules(CapsulesServiceServicer):
    """Capsules that tell, fail, wait, or end without a result; `away` as if nobody answered."""

    def __init__(self) -> None:
        self.asked: list[ExecuteRequest] = []
        self.lists = 0
        self.away = False
        self.ended = asyncio.Event()
        self.capsules = [
            capsule("capsule.teller"),
            capsule("capsule.failer"),
            capsule("capsule.waiter"),
            capsule("capsule.mute"),
            capsule("capsule.liar"),
            capsule("capsule.actor", side_effects=SideEffects.SIDE_EFFECTS_BEYOND),
            capsule("capsule.coder", required_roles=["chat.tools.code"]),
            capsule("capsule.broken", available=False, unavailable_because="manifest.toml: id"),
            capsule("capsule.odd", input_schema="{"),
        ]

    def forget(self) -> None:
        """Remembers nothing of what it was asked."""
        self.asked.clear()
        self.ended.clear()

    async def ListCapsules(  # noqa: N802
        self, request: ListCapsulesRequest, context: Any
    ) -> ListCapsulesResponse:
        self.lists += 1
        if self.away:
            raise Unavailable(Reason.REASON_SERVER_UNAVAILABLE, "away")
        return ListCapsulesResponse(capsules=self.capsules)

    async def Execute(  # noqa: N802
        self, request: ExecuteRequest, context: Any
    ) -> AsyncIterator[ExecuteResponse]:
        self.asked.append(request)
        yield ExecuteResponse(started=RunStarted(run_id="run_1"))
        yield ExecuteResponse(progress=ToolProgress(message="looking", fraction=0.2))
        name = request.capsule_id.removeprefix("capsule.")
        if name == "waiter":
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.set()
        if name == "failer":
            yield ExecuteResponse(finished=FAILED)
        elif name == "liar":
            yield ExecuteResponse(finished=told(float("nan")))
        elif name != "mute":
            yield ExecuteResponse(finished=told(json.loads(request.input_json)))

    async def ListRuns(self, request: Any, context: Any) -> Any:  # noqa: N802
        raise NotImplementedError

    def hosted(self) -> Hosted:
        add = add_CapsulesServiceServicer_to_server
        return Hosted("capsules", contract_of("capsules"), partial(add, self))


FAILED = CapsuleResult(
    run_id="run_1",
    resumable=True,
    error=ErrorEnvelope(
        type=ErrorType.ERROR_TYPE_UNAVAILABLE,
        reason=Reason.REASON_MODEL_TOO_SMALL,
        message="the small model cannot do this",
    ),
)


def told(value: Any) -> CapsuleResult:
    """A run that went well."""
    result = CapsuleResult(run_id="run_1", success=True, result_json=json.dumps({"told": value}))
    result.metadata.update({"models": ["a/b"]})
    return result


def capsule(capsule_id: str, **more: Any) -> Capsule:
    """A capsule that can be run."""
    given: dict[str, Any] = {
        "name": capsule_id,
        "description": "Does something.",
        "available": True,
        "side_effects": SideEffects.SIDE_EFFECTS_NONE,
        "input_schema": '{"type": "object", "properties": {"n": {"type": "integer"}}}',
        "result_schema": '{"type": "object", "required": ["told"]}',
        "max_execution_time": duration(0.5),
    }
    return Capsule(id=capsule_id, **(given | more))
