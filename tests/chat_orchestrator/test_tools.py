"""Tools within a turn: asked for by the model, called, and their results read."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import CancelTurnRequest
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.model_pb2 import Model
from kari.conversation_models.v1.tool_pb2 import ToolCall, ToolStepState
from kari.conversation_models.v1.turn_pb2 import TurnState
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import (
    GetTurnManifestRequest,
    ListToolStepsRequest,
)
from servers.chat_orchestrator.offer import declaration_tokens
from servers.chat_orchestrator.prompt import APOLOGY
from servers.runtime.settings import Settings
from tests.chat_orchestrator.conftest import PEERS, staged
from tests.chat_orchestrator.conversing import (
    ToolStage,
    arguments,
    kinds,
    results,
    text_of,
    with_tools,
)
from tests.chat_orchestrator.scripted_models import CALLER, MODEL, call
from tests.chat_orchestrator.scripted_tools import INJECTION, tool
from tests.chat_orchestrator.test_recording import records, refusals
from tests.stream_processor.conditions import metric


async def test_a_tool_is_called_and_the_model_goes_on_with_its_result(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """One answer of two rounds, kept with the tool that was used and the tokens of both."""
    stage = await with_tools(stack, settings)
    stage.say(["Let me see.", call("echo", n=1)], ["It is 1."])
    turn = await stage.start("what is it")
    events = await stage.events(turn)
    tools = ["tool_started", "tool_progress", "tool_finished"]
    assert kinds(events)[-7:] == ["delta", *tools, "delta", "usage", "completed"]
    stored = await stage.stored(turn)
    assert text_of(events) == stored.answer.content == "Let me see.\n\nIt is 1."
    assert [(use.tool_id, use.success) for use in stored.answer.tools_called] == [("echo", True)]
    assert (stored.turn.usage.prompt_tokens, stored.turn.usage.completion_tokens) == (14, 4)
    said, told = stage.prompt()[-2:]
    assert (said.content, said.tool_calls[0].tool_id) == ("Let me see.", "echo")
    assert told.tool_call_id == said.tool_calls[0].id
    assert '{"n": 1}' in told.content


async def test_every_page_of_tools_is_offered_and_only_what_is_available(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """The model is told of them; a call names them as all that may be called."""
    stage = await with_tools(stack, settings)
    stage.tools.tools[0].available = False
    stage.say([call("echo")], ["done"])
    await stage.play("go")
    offered = [tool.id for tool in stage.models.requests[0].tools]
    assert offered == ["code.run", "echo", "hang", "inject", "long", "time", "write"]
    assert list(stage.tools.calls[0].allowed_tool_ids) == offered
    assert stage.tools.calls[0].conversation_id == stage.conversation_id


async def test_independent_calls_run_at_the_same_time(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Each waits for the other one; their results stand in the order of the calls."""
    stage = await with_tools(stack, settings)
    stage.tools.tools.append(tool("meet"))
    stage.say([call("meet", n=1), call("meet", n=2)], ["met"])
    events = await stage.play("meet")
    assert [arguments(result)["n"] for result in results(events)] in ([1, 2], [2, 1])
    assert ['"n": 1' in m.content for m in stage.prompt()[-2:]] == [True, False]


async def test_a_result_is_marked_as_data_that_is_not_the_users(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """What a stranger wrote cannot end its marks, and what it asks for is nothing that may be
    called without the user."""
    stage = await with_tools(stack, settings)
    stage.say([call("inject")], ["I will not."])
    await stage.play("fetch it")
    content = stage.prompt()[-1].content
    head, _, rest = content.partition("\n<<<")
    assert "`inject`" in head
    assert "not the user's" in head
    mark = rest.split("\n", 1)[0]
    assert content.endswith(f"\n{mark}>>>")
    assert content.count(mark) == 2
    assert INJECTION in content


async def test_a_long_result_is_cut_and_the_model_is_told(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """To its share of the window."""
    stage = await with_tools(stack, settings, tool_result_share=0.1)
    stage.say([call("long")], ["long indeed"])
    await stage.play("read it")
    content = stage.prompt()[-1].content
    assert "of 300002 characters are shown" in content
    assert len(content) < 8192 * 0.1 * 8


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (ToolCall(id="twice", tool_id="echo", arguments_json="{}"), None),
        (call("burst"), Reason.REASON_TOOL_FAILED),
    ],
)
async def test_whatever_comes_of_a_call_is_a_result(
    stack: AsyncExitStack,
    settings: Settings,
    asked: ToolCall,
    reason: Reason.ValueType | None,
) -> None:
    """The turn goes on, also after ids that are none or come twice."""
    stage = await with_tools(stack, settings)
    stage.say([asked, asked], ["so it is"])
    events = await stage.play("try")
    found = results(events)
    assert len({result.call_id for result in found}) == 2
    assert all(result.success != bool(reason) for result in found)
    assert reason is None or {result.error.reason for result in found} == {reason}
    assert events[-1].HasField("completed")


async def test_a_model_that_asks_for_ever_is_stopped(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """After so many rounds it is asked without tools; what it asks for then is not heard."""
    stage = await with_tools(stack, settings, tool_rounds=3)
    stage.say(*([f"again {n} ", call("echo", n=n)] for n in range(9)))
    events = await stage.play("loop")
    assert [bool(request.tools) for request in stage.models.requests] == [True, True, True, False]
    assert len(stage.tools.calls) == 3
    missing = [(e.degraded.feature, e.degraded.cause) for e in events if e.HasField("degraded")]
    assert missing == [(Feature.FEATURE_TOOLS, "tool_rounds")]
    assert events[-1].completed.message.content.startswith("again 0")


async def test_a_model_that_only_ever_asks_ends_with_an_apology(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """It is asked once more without tools; what it still asks for is refused, on record."""
    stage = await with_tools(stack, settings, peers=(*PEERS, "audit"), tool_rounds=2)
    stage.say(*([call("echo", n=n)] for n in range(9)))
    unmade = metric("kari_chat_tool_calls_unmade_total", error="tool_limit")
    turn = await stage.start("loop")
    failed = (await stage.events(turn))[-1].failed
    offered = [bool(request.tools) for request in stage.models.requests]
    assert offered == [True, True, False, False]
    assert failed.error.reason == Reason.REASON_PROVIDER_ERROR
    assert failed.message.content == APOLOGY
    assert (await stage.stored(turn)).turn.state == TurnState.TURN_STATE_FAILED
    assert refusals(await records(stage, "tool.call", 2)) == [("echo", "REASON_TOOL_LIMIT")] * 2
    assert metric("kari_chat_tool_calls_unmade_total", error="tool_limit") == unmade + 2


async def test_a_model_that_writes_when_it_is_asked_once_more_has_answered(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """After calls that were not heard."""
    stage = await with_tools(stack, settings, tool_rounds=1)
    stage.say([call("echo", n=1)], [call("echo", n=2)], ["Enough."])
    assert (await stage.play("loop"))[-1].completed.message.content == "Enough."
    assert len(stage.tools.calls) == 1


async def test_a_model_that_calls_tools_it_was_not_told_of_is_not_heard(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """One that is said to call none; nor is an answer without a letter one."""
    stage = await with_tools(stack, settings)
    stage.models.model = MODEL
    stage.say([call("echo")], ["", call("echo")])
    failed = (await stage.play("hello"))[-1].failed
    assert (failed.error.reason, failed.message.content) == (
        Reason.REASON_PROVIDER_ERROR,
        APOLOGY,
    )
    assert stage.tools.calls == []


async def test_calls_beyond_the_limit_are_answered_and_not_made(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """So are those that come by the hundred."""
    stage = await with_tools(stack, settings, tool_calls=4)
    stage.say([call("echo", n=n) for n in range(500)], ["enough"])
    events = await stage.play("flood")
    assert len(stage.tools.calls) == 4
    refused = [r.error for r in results(events) if not r.success]
    assert {error.reason for error in refused} == {Reason.REASON_TOOL_LIMIT}
    assert len(refused) == 96
    assert not stage.models.requests[-1].tools
    assert events[-1].completed.message.content == "enough"


async def test_the_same_call_is_made_twice_at_the_most(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """However its arguments are spelled."""
    stage = await with_tools(stack, settings)
    spelled = ['{"a":1,"b":2}', '{"b": 2, "a": 1}', '{ "a": 1, "b": 2 }']
    stage.say(
        *([ToolCall(id="", tool_id="echo", arguments_json=text)] for text in spelled), ["well"]
    )
    events = await stage.play("stutter")
    assert [result.success for result in results(events)] == [True, True, False]
    assert results(events)[-1].error.details["limit"] == "same_call"


async def test_huge_arguments_are_refused_where_all_are(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Cut to what the contract takes, and the turn goes on."""
    stage = await with_tools(stack, settings)
    huge = ToolCall(tool_id="echo\n" * 100, arguments_json='{"a": "' + "x" * 3_000_000 + '"}')
    stage.say([huge] * 8, ["too much"])
    events = await stage.play("burden")
    assert events[-1].completed.message.content == "too much"
    assert len(stage.tools.calls[0].call.arguments_json) == 200_000
    assert stage.tools.calls[0].call.tool_id.startswith("echo_echo_")


async def test_a_tool_that_hangs_ends_before_the_turn_does(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """There is time left for an answer without it."""
    stage = await with_tools(stack, settings, turn_deadline_seconds=2.0)
    stage.say([call("hang")], ["Sorry."])
    events = await stage.play("hang on")
    assert results(events)[0].error.details["limit"] == "turn_deadline_seconds"
    assert events[-1].completed.message.content == "Sorry."
    assert stage.tools.cancelled == 1
    # Its server knows how long it has, and could have ended it itself.
    assert 0 < stage.tools.seconds[0] < 1.6


async def test_cancelling_a_turn_ends_its_tool_and_keeps_the_text(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """What was written before the call stays."""
    stage = await with_tools(stack, settings)
    stage.say(["One moment.", call("hang")], ["never"])
    turn = await stage.start("hang on")
    await stage.events(turn, until="tool_started")
    while not stage.tools.calls:
        await asyncio.sleep(0.01)
    with stage.user.acts(stage.wiring):
        await stage.orchestrator.CancelTurn(CancelTurnRequest(turn_id=turn.id))
    events = await stage.events(turn)
    assert events[-1].cancelled.message.content == "One moment."
    assert stage.tools.cancelled == 1


async def test_steps_are_kept_before_anything_runs(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """And with what came of them after it."""
    stage = await with_tools(stack, settings)
    stage.say([call("echo"), call("hang")], ["never"])
    turn = await stage.start("hang on")
    await stage.events(turn, until="tool_finished")
    assert await states(stage, turn.id) == [ToolStepState.TOOL_STEP_STATE_RUNNING] * 2
    assert (await stage.stored(turn)).turn.state == TurnState.TURN_STATE_RUNNING_TOOL
    with stage.user.acts(stage.wiring):
        await stage.orchestrator.CancelTurn(CancelTurnRequest(turn_id=turn.id))
    await stage.events(turn)


async def states(stage: ToolStage, turn_id: str) -> list[ToolStepState.ValueType]:
    """Where the calls of a turn stand."""
    with stage.user.acts(stage.wiring):
        listed = await stage.memory.ListToolSteps(ListToolStepsRequest(turn_id=turn_id))
    return [step.state for step in listed.steps]


async def test_without_the_registry_a_turn_goes_on_and_says_so(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Nothing is offered."""
    stage = await staged(stack, settings)
    stage.models.model = CALLER
    events = await stage.play("hello")
    degraded = [e.degraded for e in events if e.HasField("degraded")]
    assert [(d.feature, d.cause) for d in degraded] == [(Feature.FEATURE_TOOLS, "tool_integration")]
    assert events[-1].HasField("completed")


async def test_tools_are_taken_off_a_small_window(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """So that both fit beside the answer."""
    stage = await with_tools(stack, settings)
    stage.models.model = Model()
    stage.models.model.CopyFrom(CALLER)
    stage.models.model.context_window = 1536
    for each in stage.tools.tools:
        each.description = "It does what it does. " * 10
    stage.say(["yes"])
    turn = await stage.start("hello")
    await stage.events(turn)
    with stage.user.acts(stage.wiring):
        found = await stage.memory.GetTurnManifest(GetTurnManifestRequest(turn_id=turn.id))
    offered = stage.models.requests[-1].tools
    assert 0 < len(offered) < len(stage.tools.tools)
    assert found.manifest.budget_tokens == 1536 - 512 - sum(map(declaration_tokens, offered))


async def test_for_a_model_that_calls_none_a_rule_calls_the_tool(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Before it writes; its result stands in the prompt without a call, after the question."""
    stage = await with_tools(stack, settings)
    stage.models.model = MODEL
    stage.say(["It is late."])
    events = await stage.play("What time is it in Tokyo?")
    (called,) = stage.tools.calls
    assert (called.call.tool_id, called.call.arguments_json) == ("time", '{"zone": "Asia/Tokyo"}')
    assert kinds(events).index("tool_finished") < kinds(events).index("delta")
    question, result = stage.prompt()[-2:]
    assert question.content == "What time is it in Tokyo?"
    assert (result.role, result.tool_call_id) == (MessageRole.MESSAGE_ROLE_TOOL, "")
    assert not stage.models.requests[0].tools
    assert events[-1].completed.message.tools_called[0].tool_id == "time"


async def test_a_rule_may_call_what_it_asks_for_and_nothing_else(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """However many tools there are."""
    stage = await with_tools(stack, settings)
    stage.models.model = MODEL
    stage.tools.page_size = 200
    stage.tools.tools = [*(tool(f"mcp.a{n}") for n in range(250)), tool("time")]
    stage.say(["It is late."])
    events = await stage.play("What time is it in Tokyo?")
    assert [result.success for result in results(events)] == [True]
    assert [list(c.allowed_tool_ids) for c in stage.tools.calls] == [["time"]]


async def test_a_message_that_no_rule_fits_needs_no_tools(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """For a model that calls none; nothing is missing either if they are away."""
    stage = await staged(stack, settings)
    events = await stage.play("hello")
    assert not [e for e in events if e.HasField("degraded")]
