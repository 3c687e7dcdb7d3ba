"""The steps of a turn, each a call of a tool and where it stands. Pure."""

from collections.abc import Callable, Iterable, Iterator

from kari.conversation_models.v1.tool_pb2 import (
    ApprovalPolicy,
    Tool,
    ToolCall,
    ToolResult,
    ToolStep,
    ToolStepState,
)
from kari.conversation_models.v1.turn_pb2 import (
    ApprovalAnswered,
    ApprovalRequested,
    TextDelta,
    ToolStarted,
    TurnEvent,
)
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Conflict, KariError

RUNNING = ToolStepState.TOOL_STEP_STATE_RUNNING
AWAITING = ToolStepState.TOOL_STEP_STATE_AWAITING_APPROVAL
APPROVED = ToolStepState.TOOL_STEP_STATE_APPROVED
DENIED = ToolStepState.TOOL_STEP_STATE_DENIED
ENDED = ToolStepState.TOOL_STEP_STATE_ENDED

MOST_ASKED = 500_000
"""Bytes of the arguments about which a turn asks at once: whoever answers sees all of them."""

ASKED = frozenset({AWAITING, APPROVED, DENIED})
"""States of a step about which the user was asked and which did not go on since."""


def end(step: ToolStep, result: ToolResult) -> None:
    """The step has its result."""
    step.state = ENDED
    step.result.CopyFrom(result)


def ask(step: ToolStep, answer_by: float) -> None:
    """The step waits for the user's answer until a time, in seconds since 1970."""
    step.state = AWAITING
    step.answer_by.FromMilliseconds(int(answer_by * 1000))


def unaskable(steps: Iterable[ToolStep]) -> Iterator[ToolStep]:
    """Those of the steps that ask whose arguments do not fit beside those before them."""
    left = MOST_ASKED
    for step in steps:
        size = len(step.call.arguments_json.encode())
        if size > left:
            yield step
        else:
            left -= size


def decide(step: ToolStep, correlation_id: str) -> ApprovalAnswered:
    """What the answer, or that there was none in time, makes of a step: it runs or has a result.
    What was allowed runs with the arguments that were shown, or not at all."""
    answer = step.state
    if answer == APPROVED and step.call.arguments_json:
        step.state = RUNNING
    elif answer == APPROVED:
        end(step, refused(step.call, forgotten(), correlation_id))
    else:
        error = denied() if answer == DENIED else expired()
        end(step, refused(step.call, error, correlation_id))
    return ApprovalAnswered(
        call_id=step.call.id, approved=answer == APPROVED, expired=answer == AWAITING
    )


def asks(tool: Tool) -> bool:
    """Whether a tool's user is asked before it runs."""
    return tool.approval != ApprovalPolicy.APPROVAL_POLICY_NEVER


def refused(call: ToolCall, error: KariError, correlation_id: str) -> ToolResult:
    """The result of a call that was not made."""
    return ToolResult(call_id=call.id, tool_id=call.tool_id, error=error.envelope(correlation_id))


def started_event(step: ToolStep, tool: Tool | None) -> TurnEvent:
    """A tool begins, or its call was refused."""
    name = tool.name if tool is not None else step.call.tool_id
    return TurnEvent(tool_started=ToolStarted(call=step.call, tool_name=name, round=step.round))


def requested_event(step: ToolStep, tool: Tool | None) -> TurnEvent:
    """The user is asked."""
    return TurnEvent(
        approval_requested=ApprovalRequested(
            call=step.call,
            tool_name=tool.name if tool is not None else step.call.tool_id,
            description=tool.description if tool is not None else "",
            answer_by=step.answer_by,
        )
    )


def told_again(
    steps: Iterable[ToolStep], tool: Callable[[str], Tool | None] = lambda tool_id: None
) -> Iterator[TurnEvent]:
    """The events of steps, for a stream that begins again: what the model wrote before them, the
    tools that ended, and the questions that were asked last. `tool` finds what is still known of
    a tool."""
    for step in steps:
        if step.text_before:
            yield TurnEvent(delta=TextDelta(text=step.text_before))
        if step.state in ASKED:
            yield requested_event(step, tool(step.call.tool_id))
        elif step.state == ENDED:
            yield started_event(step, tool(step.call.tool_id))
            yield TurnEvent(tool_finished=step.result)


def no_time() -> Conflict:
    """The turn's time is nearly over."""
    return Conflict(
        Reason.REASON_TOOL_LIMIT,
        "this turn has no time left for tools; answer with what there is",
        limit="turn_deadline_seconds",
    )


def too_much_asked() -> Conflict:
    """More than anybody could be shown."""
    return Conflict(
        Reason.REASON_TOOL_LIMIT,
        "the arguments of the calls about which the user would be asked are too large together; "
        "make fewer of them at once",
        limit="arguments_asked",
        most=MOST_ASKED,
    )


def forgotten() -> Conflict:
    """Nobody knows any more what was allowed."""
    return Conflict(
        Reason.REASON_TOOL_ARGUMENTS,
        "the arguments that the user allowed are not known any more; the call was not made",
    )


def denied() -> Conflict:
    """The user said no."""
    return Conflict(Reason.REASON_APPROVAL_DENIED, "the user did not allow this call")


def expired() -> Conflict:
    """The user said nothing."""
    return Conflict(Reason.REASON_APPROVAL_EXPIRED, "the user did not answer in time")


def asks_again() -> Conflict:
    """The tool does not take yes for an answer."""
    return Conflict(
        Reason.REASON_TOOL_FAILED, "the tool asks whether it may run although its user allowed it"
    )
