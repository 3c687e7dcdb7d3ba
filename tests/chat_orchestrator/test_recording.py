"""Calls that end with the orchestrator, in a real trail."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from kari.audit.v1.audit_pb2 import ListRecordsRequest, Record
from kari.audit.v1.audit_pb2_grpc import AuditServiceStub
from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import CallToolRequest, CallToolResponse
from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.settings import Settings
from tests.chat_orchestrator.conftest import PEERS
from tests.chat_orchestrator.conversing import ToolStage, question, with_tools
from tests.chat_orchestrator.scripted_models import call
from tests.chat_orchestrator.scripted_tools import tool
from tests.hosting import until

RECORDED = (*PEERS, "audit")
ANSWERED = "kari.chat_orchestrator.v1.ChatOrchestratorService/AnswerApproval"


async def records(stage: ToolStage, action: str, count: int) -> Sequence[Record]:
    """The trail's records of this user, once there are so many; the oldest first."""
    stub = stage.wiring.stub("conversation_manager", "audit", AuditServiceStub)
    request = ListRecordsRequest(user_id=stage.user.user_id, action_prefix=action, page_size=200)

    async def enough() -> Sequence[Record] | None:
        found = (await stub.ListRecords(request)).records
        return found if len(found) >= count else None

    return await until(enough) or ()


def refusals(found: Sequence[Record]) -> list[tuple[str, str]]:
    """What was refused, and why."""
    entries: list[AuditEntry] = [record.entry for record in found]
    assert {e.outcome for e in entries} == {AuditOutcome.AUDIT_OUTCOME_REFUSED}
    return sorted((entry.resource, entry.reason) for entry in entries)


async def test_calls_beyond_a_bound_of_the_turn_are_on_record(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """The call too many and the same call again, with a digest and without what was asked."""
    stage = await with_tools(stack, settings, peers=RECORDED, tool_calls=3)
    stage.say([call("echo", secret="s3")] * 3 + [call("time")], ["enough"])
    turn = await stage.start("again")
    await stage.events(turn)
    found = await records(stage, "tool.call", 2)
    limit = "REASON_TOOL_LIMIT"
    assert refusals(found) == [("echo", limit), ("time", limit)]
    details = found[0].entry.details
    assert (details["turn"], details["conversation"]) == (turn.id, stage.conversation_id)
    assert len(details["arguments_sha256"]) == 64
    assert "s3" not in str(found)


async def test_calls_whose_end_nobody_told_are_on_record(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Failed, also if the registry went away without a word: the call may have run."""
    stage = await with_tools(stack, settings, peers=RECORDED, turn_deadline_seconds=2.0)
    stage.tools.tools.append(tool("away"))
    stage.say([call("away"), call("burst"), call("hang")], ["So be it."])
    events = await stage.play("try")
    assert events[-1].completed.message.content == "So be it."
    found = [record.entry for record in await records(stage, "tool.call", 3)]
    failed = AuditOutcome.AUDIT_OUTCOME_FAILED
    assert sorted((e.resource, e.outcome, e.reason) for e in found) == [
        ("away", failed, "REASON_TOOL_UNAVAILABLE"),
        ("burst", failed, "REASON_TOOL_FAILED"),
        ("hang", failed, "REASON_TOOL_LIMIT"),
    ]


async def test_what_its_user_did_not_allow_is_on_record_and_so_is_the_answer(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """The tool never heard of it."""
    stage = await with_tools(stack, settings, peers=RECORDED)
    stage.say([call("write")], ["Then not."])
    turn = await stage.start("write it")
    asked = question(await stage.events(turn, until="approval_requested"))
    await stage.answer(turn, asked, approved=False)
    await stage.events(turn)
    found = await records(stage, "tool.call", 1)
    assert refusals(found) == [("write", "REASON_APPROVAL_DENIED")]
    assert found[0].entry.details["call"] == asked
    (answer,) = await records(stage, ANSWERED, 1)
    assert answer.entry.outcome == AuditOutcome.AUDIT_OUTCOME_DONE


async def test_a_question_without_an_answer_in_time_is_on_record(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Once the turn has gone on without it."""
    stage = await with_tools(
        stack, settings, peers=RECORDED, approval_seconds=0.2, turn_lease_seconds=1.0
    )
    stage.say([call("write")], ["Nobody said anything."])
    await stage.play("write it")
    assert refusals(await records(stage, "tool.call", 1)) == [("write", "REASON_APPROVAL_EXPIRED")]


async def outside(stage: ToolStage, tool_id: str, *, approved: bool) -> list[CallToolResponse]:
    """Steps of a call that belongs to no turn."""
    request = CallToolRequest(tool_id=tool_id, approved=approved)
    with stage.user.acts(stage.wiring):
        return [step async for step in stage.orchestrator.CallTool(request)]


async def test_a_call_that_is_allowed_in_advance_is_asked_about_first(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """What was not asked about is never said to be allowed: that would take it past its limit."""
    stage = await with_tools(stack, settings)
    refused = await outside(stage, "write", approved=False)
    assert refused[-1].finished.error.reason == Reason.REASON_APPROVAL_REQUIRED
    assert (await outside(stage, "write", approved=True))[-1].finished.success
    assert (await outside(stage, "echo", approved=True))[-1].finished.success
    made = [(each.call.tool_id, each.approved) for each in stage.tools.calls]
    assert made == [("write", False), ("write", False), ("write", True), ("echo", False)]
    assert stage.tools.calls[1].call.id == stage.tools.calls[2].call.id
