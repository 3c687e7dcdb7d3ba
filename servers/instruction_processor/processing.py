"""A text, from its commands to the turn that its rest starts."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import structlog
from prometheus_client import Counter

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import StartTurnRequest, StartTurnResponse
from kari.conversation_models.v1.instruction_pb2 import (
    Instruction,
    InstructionResult,
    InstructionStatus,
    InstructionType,
)
from kari.instruction_processor.v1.instruction_processor_pb2 import ProcessRequest
from servers.instruction_processor.applying import Applying, line_request_id
from servers.instruction_processor.models import Models
from servers.instruction_processor.parsing import parts_of
from servers.instruction_processor.steps import Step, steps_of
from servers.runtime.call import principal
from servers.runtime.errors import KariError, from_rpc
from servers.runtime.labelled import labelled

if TYPE_CHECKING:
    from kari.chat_orchestrator.v1.chat_orchestrator_pb2_grpc import (
        ChatOrchestratorServiceAsyncStub,
    )

INSTRUCTIONS = Counter(
    "kari_chat_instructions_total", "Commands carried out, or stopped at.", ("command", "outcome")
)

log = structlog.get_logger("kari.instruction_processor")


@dataclass(frozen=True)
class Processed:
    """What became of a text. `started` is None if it was only commands."""

    results: Sequence[InstructionResult]
    started: StartTurnResponse | None = None


class Processing:
    """Carries out texts that start with commands."""

    def __init__(
        self,
        applying: Applying,
        models: Models,
        orchestrator: "ChatOrchestratorServiceAsyncStub",
    ) -> None:
        self._applying = applying
        self._models = models
        self._orchestrator = orchestrator

    async def process(self, request: ProcessRequest) -> Processed:
        """Takes the steps in order and stops at the first that fails; its error says which were
        taken. What follows the commands starts a turn."""
        parts = parts_of(request.content)
        steps = steps_of(parts.lines, principal())
        await self._require_models(steps)
        results = list[InstructionResult]()
        for number, step in enumerate(steps, start=1):
            request_id = line_request_id(request.request_id, number)
            async with _telling(step, steps[: number - 1]):
                result = await self._applying.apply(request.conversation_id, step, request_id)
            results.append(result)
        if not parts.message:
            return Processed(results)
        async with _telling(None, steps):
            return Processed(results, await self._start(request, parts.message, results))

    async def _require_models(self, steps: Sequence[Step]) -> None:
        """Refuses models that the user cannot choose, before any step is taken."""
        for step in steps:
            if step.model:
                async with _refusing(step, ()):
                    await self._models.require(step.model, principal())

    async def _start(
        self, request: ProcessRequest, message: str, results: Sequence[InstructionResult]
    ) -> StartTurnResponse:
        """Starts the turn of a message that came with commands; those done are told of."""
        return await self._orchestrator.StartTurn(
            StartTurnRequest(
                conversation_id=request.conversation_id,
                content=message,
                request_id=request.request_id,
                reply_to_message_id=request.reply_to_message_id,
                mentioned_user_ids=request.mentioned_user_ids,
                when_busy=request.when_busy,
                model=request.model,
                instructions=[_kept(r.instruction) for r in results if r.status == APPLIED],
            )
        )


APPLIED = InstructionStatus.INSTRUCTION_STATUS_APPLIED
PRIVATE = frozenset(
    {InstructionType.INSTRUCTION_TYPE_MEMORY, InstructionType.INSTRUCTION_TYPE_QUERY}
)
"""What users remember, forget or look for is theirs, and stays out of what is kept of a turn."""


def _kept(instruction: Instruction) -> Instruction:
    """An instruction as the turn after it keeps it: a statement to remember stays with the vault
    alone, which redacts it and can forget it."""
    if instruction.type not in PRIVATE:
        return instruction
    return Instruction(type=instruction.type, action=instruction.action)


@asynccontextmanager
async def _telling(step: Step | None, taken: Sequence[Step]) -> AsyncIterator[None]:
    """Counts a step and lets its error say what was done before it."""
    async with _refusing(step, taken):
        yield
    labelled(INSTRUCTIONS, _name(step), "done").inc()


@asynccontextmanager
async def _refusing(step: Step | None, taken: Sequence[Step]) -> AsyncIterator[None]:
    """Counts a step that fails; its error says what was done before it."""
    try:
        yield
    except (KariError, grpc.aio.AioRpcError) as failure:
        error = failure if isinstance(failure, KariError) else from_rpc(failure)
        labelled(INSTRUCTIONS, _name(step), "failed").inc()
        log.info("instruction failed", command=_name(step), taken=[s.command.name for s in taken])
        raise _with_taken(error, taken) from failure


def _name(step: Step | None) -> str:
    return step.command.name if step else "message"


def _with_taken(error: KariError, taken: Sequence[Step]) -> KariError:
    if taken:
        names = " ".join(f"/{step.command.name}" for step in taken)
        error.message = f"{error.message} (done before it: {names})"
        error.details["done"] = names
    return error
