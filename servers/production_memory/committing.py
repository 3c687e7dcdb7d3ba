"""The end of a turn as it is written: within a transaction that has locked its thread."""

from collections.abc import Sequence
from dataclasses import dataclass

from asyncpg import Record

from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.model_pb2 import ModelSelection
from kari.conversation_models.v1.tool_pb2 import ToolUse
from kari.conversation_models.v1.turn_pb2 import TurnState
from kari.production_memory.v1.production_memory_pb2 import FinishTurnRequest
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.jobs import Job, Jobs
from servers.production_memory.message import answer_message, storable
from servers.production_memory.tables import QUERIES, STEPS, one, tools_used
from servers.production_memory.turn import name_of
from servers.production_memory.vault.memory_jobs import LearnJob, ProcedureJob
from servers.production_memory.vault.procedure import is_procedure
from servers.runtime.ids import new_id
from servers.runtime.postgres import Connection


@dataclass(frozen=True)
class Committed:
    """The row of a turn that has ended, and its answer, which it may lack."""

    row: Record
    answer: Message | None


async def commit_end(
    connection: Connection, jobs: Jobs, turn: Record, request: FinishTurnRequest
) -> Committed:
    """Ends a turn: its answer, with the tools that were used for it, its row and its jobs."""
    used = await tools_used(connection, turn)
    row = await one(
        connection,
        QUERIES.finish_turn,
        request.turn_id,
        turn["conversation_id"],
        name_of(request.state),
        request.usage.SerializeToString() if request.HasField("usage") else None,
        [each.SerializeToString() for each in request.degradations],
        request.error.SerializeToString() if request.HasField("error") else None,
        new_id("msg") if request.content else "",
        storable(request.content),
        request.model_used,
        request.usage.completion_tokens,
        turn["user_message_id"],
        request.partial,
        request.apology,
        [each.SerializeToString() for each in used],
    )
    answer = answer_message(request, row, used) if request.content else None
    await jobs.enqueue(connection, *_jobs(row, answer, used))
    return Committed(row, answer)


async def call_off_asking(connection: Connection, jobs: Jobs, turn: Record) -> Committed:
    """Ends a turn that waits for its user: nobody leads it, so nobody else would. What the model
    wrote before its calls is kept as its partial answer."""
    text = await connection.fetchval(STEPS.text_so_far, turn["id"])
    selection = ModelSelection.FromString(turn["selection"] or b"")
    await connection.execute(QUERIES.request_cancel, turn["id"])
    request = FinishTurnRequest(
        turn_id=turn["id"],
        state=TurnState.TURN_STATE_CANCELLED,
        content=text,
        partial=bool(text),
        model_used=selection.model.id if text else "",
    )
    return await commit_end(connection, jobs, turn, request)


def _jobs(turn: Record, answer: Message | None, used: Sequence[ToolUse]) -> list[Job]:
    """What is done once a turn has ended. Only who was answered has taught something: what failed
    or was called off is asked again, mostly."""
    ids = (turn["user_message_id"], *([answer.id] if answer else ()))
    jobs: list[Job] = [EmbedJob(turn["tenant_id"], ids)]
    if turn["teaches"] and turn["state"] == "completed":
        jobs.append(LearnJob(turn["tenant_id"], turn["id"]))
    if turn["state"] == "completed" and is_procedure(used):
        jobs.append(ProcedureJob(turn["tenant_id"], turn["id"]))
    return jobs
