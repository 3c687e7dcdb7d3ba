"""Summaries as the summarizer asks for them and writes them."""

from typing import Any

from google.protobuf.duration_pb2 import Duration

from kari.conversation_models.v1.summary_pb2 import (
    ConversationSummary,
    MessageRange,
    ParticipantIntent,
    SummaryKind,
)
from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.runtime.call import Call, acting
from servers.runtime.durations import duration
from servers.runtime.ids import new_correlation_id
from tests.hosting import until
from tests.production_memory.memory import Memory

ROLLING, EPISODIC = SummaryKind.SUMMARY_KIND_ROLLING, SummaryKind.SUMMARY_KIND_EPISODIC
HOUR = Duration(seconds=3600)
NONE = Duration(nanos=1)


async def claimed(
    memory: Memory,
    *,
    turns: int = 2,
    rest: Duration = HOUR,
    lease_seconds: float = 60.0,
    limit: int = 50,
) -> list[contract.SummaryTask]:
    """Tasks of this tenant, of all that are claimed; as the summarizer asks, without a user."""
    lease = contract.Lease(owner="summarizer-1", duration=duration(lease_seconds))
    request = contract.ClaimSummariesRequest(
        lease=lease, rolling_turns=turns, rest=rest, limit=limit
    )
    with acting(Call(new_correlation_id())):
        response = await memory.stub.ClaimSummaries(request)
    return [task for task in response.tasks if task.tenant_id == memory.somebody.tenant_id]


async def due(memory: Memory, **fields: Any) -> contract.SummaryTask:
    """The one task of this tenant, once there is one."""
    (task,) = await until(lambda: claimed(memory, **fields))
    return task


async def ids_of(memory: Memory) -> list[str]:
    """Ids of the messages of the conversation, in order."""
    found = (await memory.messages(page_size=200)).messages
    return [message.id for message in reversed(found)]


def summary(
    memory: Memory, ids: list[str], first: int, last: int, **fields: Any
) -> ConversationSummary:
    """A summary of some messages of the conversation."""
    given: dict[str, Any] = {
        "kind": ROLLING,
        "summary": "User: apples are red.",
        "key_topics": ["apples"],
        "participant_intents": [ParticipantIntent(participant="User", intent="to eat apples")],
    }
    covers = MessageRange(
        first_message_id=ids[first - 1],
        last_message_id=ids[last - 1],
        first_sequence=first,
        last_sequence=last,
    )
    return ConversationSummary(
        conversation_id=memory.conversation_id, message_range=covers, **(given | fields)
    )


async def write(memory: Memory, given: ConversationSummary) -> contract.WriteSummaryResponse:
    return await memory.stub.WriteSummary(contract.WriteSummaryRequest(summary=given))


async def listed(memory: Memory, **fields: Any) -> contract.ListSummariesResponse:
    return await memory.stub.ListSummaries(
        contract.ListSummariesRequest(conversation_id=memory.conversation_id, **fields)
    )
