"""Tools in a turn, from a socket through every server: asked for, detected, allowed, refused."""

import json
import secrets

import grpc
import pytest

from kari.chat_hub.v1.chat_hub_pb2 import (
    AnswerApprovalRequest,
    CallToolRequest,
    ListToolsRequest,
)
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceStub
from kari.conversation_models.v1.tool_pb2 import ToolResult
from kari.conversation_models.v1.turn_pb2 import TurnEvent
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import from_rpc
from tests.flow.conftest import GULLIBLE, OBEDIENT, READER, Mesh
from tests.flow.files import Drawer, settled
from tests.hosting import until
from tests.socket_client import kinds_of, opened, text_of
from tests.tool_integration.mcp.rough import INJECTION
from tests.upstream.script import Script, asks

CONVERT = '!units {"value": 3, "unit": "km", "to": "m"}'


def results(events: list[TurnEvent]) -> list[ToolResult]:
    """What came of the calls."""
    return [event.tool_finished for event in events if event.HasField("tool_finished")]


async def test_a_model_has_a_tool_called_and_answers_with_its_result(mesh: Mesh) -> None:
    """Told as it happens, kept with the answer."""
    async with opened(mesh.kari, await mesh.token()) as client:
        _, events = await client.turn('!calculator {"expression": "6*7"}', model=OBEDIENT)
    assert kinds_of(events)[-6:] == [
        "model_selected",
        "tool_started",
        "tool_finished",
        "delta",
        "usage",
        "completed",
    ]
    assert json.loads(results(events)[0].result_json)["result"] == "42"
    message = events[-1].completed.message
    assert "42" in message.content == text_of(events)
    assert [(use.tool_id, use.success) for use in message.tools_called] == [("calculator", True)]


async def test_a_model_has_a_capsule_run(mesh: Mesh) -> None:
    """Like any tool; the trail has the call and the run."""
    async with opened(mesh.kari, await mesh.token()) as client:
        _, events = await client.turn(
            '!capsule.semantic_retriever {"query": "picnic"}', model=OBEDIENT
        )
    (result,) = results(events)
    assert (result.tool_id, result.success) == ("capsule.semantic_retriever", True)
    assert set(json.loads(result.result_json)["searched"]) == {"memory", "messages"}
    assert result.metadata["run_id"].startswith("run_")
    message = events[-1].completed.message
    assert "searched" in message.content
    assert [(use.tool_id, use.success) for use in message.tools_called] == [(result.tool_id, True)]
    await until(lambda: done_on_record(mesh, result.call_id))


async def test_what_a_capsule_warns_of_reaches_the_model_and_the_user(mesh: Mesh) -> None:
    """Of German text the scores are nothing to go by: the capsule says so, and what it measured."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, _ = await client.turn("Der Zug ist heute wieder nicht gekommen.", model=READER)
        _, events = await client.turn(
            "!capsule.sentiment_forecaster {}",
            model=OBEDIENT,
            conversation_id=ack.turn.conversation_id,
        )
    (result,) = results(events)
    assert result.success
    (warning,) = [w for w in result.metadata["warnings"] if "English" in w]
    assert dict(result.metadata["metrics"])
    asked = json.dumps(mesh.upstream.asked("obedient")[-1].body["messages"][-1])
    assert f"warning: {warning}" in asked
    words = ("capsule", "run", "sentiment_forecaster", "--conversation")
    code, output = await mesh.kari.command(*words, ack.turn.conversation_id)
    assert code == 0, output
    assert f"(warning: {warning})" in output


async def done_on_record(mesh: Mesh, call_id: str) -> bool:
    """Whether the trail has both ends of a call and of a capsule's run for it."""
    code, output = await mesh.kari.command("audit", "tail", "-n", "200", "--json")
    assert code == 0, output
    entries = [json.loads(line)["entry"] for line in output.splitlines()]
    ours = [e for e in entries if e.get("details", {}).get("call") == call_id]
    assert {e["resource"] for e in ours} <= {"capsule.semantic_retriever"}
    known = {(e["action"], e["outcome"].rpartition("_")[2]) for e in ours}
    return known == {
        (action, outcome)
        for action in ("tool.call", "capsule.run")
        for outcome in ("ADMITTED", "DONE")
    }


async def test_for_a_model_without_tools_a_rule_has_one_called(mesh: Mesh) -> None:
    """The time of a place, before the model says a word."""
    async with opened(mesh.kari, await mesh.token()) as client:
        _, events = await client.turn("What time is it in Tokyo?", model=READER)
    (result,) = results(events)
    assert (result.tool_id, result.success) == ("time", True)
    assert "Asia/Tokyo" in result.result_json
    asked = mesh.upstream.asked("reader")[-1].body
    assert "tools" not in asked
    assert "Asia/Tokyo" in json.dumps(asked["messages"][-1])
    assert events[-1].completed.message.tools_called[0].tool_id == "time"


@pytest.mark.parametrize("approved", [True, False])
async def test_a_tool_that_asks_first_waits_for_its_user(mesh: Mesh, approved: bool) -> None:
    """The answer decides; the turn goes on either way."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, frame_id = await client.say(CONVERT, model=OBEDIENT)
        asked = (await client.until(frame_id, "approval_requested"))[-1].approval_requested
        answer = AnswerApprovalRequest(
            turn_id=ack.turn.id, call_id=asked.call.id, approved=approved
        )
        frame = await client.ask(answer_approval=answer)
        events = await client.events(frame_id)
    assert frame.result.answer_approval.turn.id == ack.turn.id
    assert frame.result.answer_approval.approved == approved
    assert events[0].approval_answered.approved == approved
    (result,) = results(events)
    assert result.success == approved
    assert approved or result.error.reason == Reason.REASON_APPROVAL_DENIED
    assert events[-1].HasField("completed")
    other = ("--deny",) if approved else ()
    code, output = await mesh.kari.command("approve", ack.turn.id, asked.call.id, *other)
    held = "allowed" if approved else "not allowed"
    assert (code, output) == (1, f"it was answered before: it is {held}; the turn goes on\n")


async def test_another_model_goes_on_with_what_a_tool_gave(mesh: Mesh) -> None:
    """The one that asked for it fails when it should read the result."""
    name = f"fickle-{'spread' if mesh.kari.spread else 'together'}"
    mesh.upstream.scripts[name] = [asks("calculator", expression="6*7"), Script(status=500)]
    async with opened(mesh.kari, await mesh.token()) as client:
        _, events = await client.turn("six times seven", model=mesh.named(name))
    told = kinds_of(events)
    assert told.index("tool_finished") < told.index("provider_switched") < told.index("delta")
    assert "42" in json.dumps(mesh.upstream.asked("plain")[-1].body["messages"][-1])
    message = events[-1].completed.message
    assert (message.content, message.model_used) == ("Hello from upstream.", mesh.answer)


async def test_whoever_has_not_the_role_is_refused_and_the_turn_goes_on(mesh: Mesh) -> None:
    """The tool is not listed either."""
    async with opened(mesh.kari, await mesh.plain_token()) as client:
        listed = await client.ask(tools=ListToolsRequest())
        ack, events = await client.turn('!memory.search {"query": "me"}', model=OBEDIENT)
    ids = [tool.id for tool in listed.result.tools.tools]
    assert "calculator" in ids
    assert "memory.search" not in ids
    (result,) = results(events)
    assert result.error.reason == Reason.REASON_ROLE_MISSING
    assert events[-1].HasField("completed")
    assert await recorded(mesh, ack.turn.id, 1) == [
        ("REFUSED", "memory.search", "REASON_ROLE_MISSING")
    ]
    called = await outside(mesh, await mesh.plain_token(), "memory.search", query="me")
    assert called.error.reason == Reason.REASON_ROLE_MISSING


async def recorded(mesh: Mesh, turn_id: str, count: int) -> list[tuple[str, str, str]]:
    """What is on record of a turn's calls, once there is so much: outcome, tool, reason."""

    async def enough() -> list[tuple[str, str, str]]:
        words = ("audit", "tail", "-n", "200", "--action", "tool.call", "--json")
        code, output = await mesh.kari.command(*words)
        assert code == 0, output
        entries = [json.loads(line)["entry"] for line in output.splitlines()]
        found = [
            (each["outcome"].rpartition("_")[2], each["resource"], each.get("reason", ""))
            for each in entries
            if each["details"].get("turn") == turn_id
        ]
        return found if len(found) >= count else []

    return await until(enough)


@pytest.mark.parametrize("through", ["rough.inject", "file.read"])
async def test_a_tool_that_only_a_result_asks_for_is_not_had(mesh: Mesh, through: str) -> None:
    """The model obeys what an MCP server, or a file, tells it to; its user may not run code."""
    token = await mesh.plain_token()
    async with opened(mesh.kari, token) as client:
        if through == "file.read":
            name = f"orders-{secrets.token_hex(4)}.txt"
            await settled(client, await Drawer(mesh.kari, token).upload(name, INJECTION.encode()))
        arguments = {"file": name} if through == "file.read" else {}
        ack, events = await client.turn(f"!{through} {json.dumps(arguments)}", model=GULLIBLE)
    read, refused = results(events)
    assert read.success, read
    assert "captured" in read.result_json
    assert refused.error.reason == Reason.REASON_ROLE_MISSING
    assert events[-1].HasField("completed")
    assert await recorded(mesh, ack.turn.id, 3) == [
        ("ADMITTED", through, ""),
        ("DONE", through, ""),
        ("REFUSED", "code.run", "REASON_ROLE_MISSING"),
    ]


async def test_a_user_calls_a_tool_outside_of_a_turn(mesh: Mesh) -> None:
    """As a client of the hub; one that asks first wants to know that it was allowed."""
    token, length = await mesh.token(), {"value": 3, "unit": "km", "to": "m"}
    called = await outside(mesh, token, "calculator", expression="2+3")
    assert json.loads(called.result_json)["result"] == "5"
    unasked = await outside(mesh, token, "units", **length)
    assert unasked.error.reason == Reason.REASON_APPROVAL_REQUIRED
    allowed = await outside(mesh, token, "units", approved=True, **length)
    assert json.loads(allowed.result_json)["value"] == 3000
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await outside(mesh, token, "time", conversation_id="conv_" + "0" * 32)
    assert from_rpc(refused.value).reason == Reason.REASON_CONVERSATION_NOT_FOUND


async def outside(
    mesh: Mesh,
    token: str,
    tool_id: str,
    /,
    *,
    approved: bool = False,
    conversation_id: str = "",
    **arguments: object,
) -> ToolResult:
    """What comes of a call of the hub."""
    request = CallToolRequest(
        tool_id=tool_id,
        arguments_json=json.dumps(arguments),
        conversation_id=conversation_id,
        approved=approved,
    )
    header = ("authorization", f"Bearer {token}")
    async with grpc.aio.insecure_channel(mesh.kari.address("chat_hub")) as channel:
        call = ChatHubServiceStub(channel).CallTool(request, metadata=[header])
        steps = [step async for step in call]
    return steps[-1].finished


async def test_a_limit_refuses_and_the_turn_goes_on(mesh: Mesh) -> None:
    """Two calls in a minute, the third is refused; the trail has it."""
    asked = "\n".join(
        f'!conversation.search {{"query": "{secrets.token_hex(4)}"}}' for _ in range(3)
    )
    async with opened(mesh.kari, await mesh.plain_token()) as client:
        _, events = await client.turn(asked, model=OBEDIENT)
    reasons = [result.error.reason for result in results(events) if not result.success]
    assert reasons == [Reason.REASON_TOOL_RATE]
    assert events[-1].HasField("completed")
    code, output = await mesh.kari.command("audit", "tail", "-n", "200")
    assert code == 0, output
    assert "REASON_TOOL_RATE" in output


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("!no.such.tool {}", Reason.REASON_TOOL_NOT_FOUND),
        ("!calculator this is no json", Reason.REASON_TOOL_ARGUMENTS),
        ('!calculator {"expression": 7}', Reason.REASON_TOOL_ARGUMENTS),
        (f'!calculator {{"expression": "{"1+" * 40_000}1"}}', Reason.REASON_TOOL_ARGUMENTS),
    ],
    ids=["unknown", "no-json", "schema", "huge"],
)
async def test_a_bad_call_is_a_result_that_the_model_reads(
    mesh: Mesh, line: str, reason: Reason.ValueType
) -> None:
    """And answers after."""
    async with opened(mesh.kari, await mesh.token()) as client:
        _, events = await client.turn(line, model=OBEDIENT)
    (result,) = results(events)
    assert result.error.reason == reason
    assert Reason.Name(result.error.reason) in events[-1].completed.message.content
