"""How the terminal tells what tools do."""

from cli.tool_notes import answered_before, question, tool_note
from kari.chat_hub.v1.chat_hub_pb2 import AnswerApprovalRequest, AnswerApprovalResponse
from kari.conversation_models.v1.tool_pb2 import ToolCall, ToolProgress, ToolResult
from kari.conversation_models.v1.turn_pb2 import (
    ApprovalAnswered,
    ApprovalRequested,
    ToolStarted,
    TurnEvent,
)
from kari.errors.v1.errors_pb2 import ErrorEnvelope

HOSTILE = '{"x": "\x1b[2J\r\u202e"}'


def test_a_call_and_its_result_are_a_line_each() -> None:
    """With arguments and result, as they are."""
    call = ToolCall(tool_id="calculator", arguments_json='{"expression": "6*7"}')
    started = TurnEvent(tool_started=ToolStarted(call=call))
    assert tool_note(started) == 'calculator runs: {"expression": "6*7"}'
    result = ToolResult(tool_id="calculator", success=True, result_json="42")
    assert tool_note(TurnEvent(tool_finished=result)) == "calculator gave: 42"
    result.truncated = True
    assert tool_note(TurnEvent(tool_finished=result)) == "calculator gave, cut short: 42"


def test_a_failure_is_told_with_its_reason() -> None:
    """As the envelope says it."""
    failed = ToolResult(tool_id="web.search", error=ErrorEnvelope(message="not configured"))
    assert tool_note(TurnEvent(tool_finished=failed)) == "web.search failed: not configured"


def test_progress_tells_how_far_it_is() -> None:
    """What is only text for the answer is no note."""
    half = ToolProgress(message="reading", fraction=0.5)
    assert tool_note(TurnEvent(tool_progress=half)) == "reading (50%)"
    assert tool_note(TurnEvent(tool_progress=ToolProgress(text="Once"))) == ""


def test_an_answer_that_did_not_come_is_told() -> None:
    """One that came is known to whoever gave it."""
    expired = ApprovalAnswered(expired=True)
    assert tool_note(TurnEvent(approval_answered=expired)) == "nobody answered in time"
    assert tool_note(TurnEvent(approval_answered=ApprovalAnswered(approved=True))) == ""


def test_a_question_shows_all_arguments_and_none_can_move_the_cursor() -> None:
    """They are what is allowed; a line would not do."""
    call = ToolCall(tool_id="letter", arguments_json=HOSTILE + "x" * 1000)
    asked = question(ApprovalRequested(call=call, description="Sends a letter."))
    assert asked.startswith("letter asks for your permission: Sends a letter.\narguments: ")
    assert "x" * 1000 in asked
    assert "\x1b" not in asked
    assert "\r" not in asked
    assert "\u202e" not in asked


def test_long_results_are_cut_in_notes() -> None:
    """The model has them whole."""
    result = ToolResult(tool_id="web.fetch", success=True, result_json="y" * 5000)
    note = tool_note(TurnEvent(tool_finished=result))
    assert len(note) == 300
    assert note.endswith("…")


def test_what_a_tool_warns_of_is_in_its_note() -> None:
    """Each warning, before the result."""
    result = ToolResult(tool_id="capsule.a", success=True, result_json="{}")
    result.metadata.update({"warnings": ["a part\nis missing", "\x1b[2J"]})
    note = tool_note(TurnEvent(tool_finished=result))
    assert note == "capsule.a gave, warning: a part is missing, warning: \ufffd[2J: {}"


def test_what_is_allowed_reads_as_it_stands() -> None:
    """Marks of direction would show another order of its letters."""
    asked = ApprovalRequested(call=ToolCall(tool_id="write", arguments_json="a\u202etxt.exe\u2066"))
    assert question(asked).endswith("arguments: a\ufffdtxt.exe\ufffd")


def test_whoever_answers_second_is_told_which_answer_holds() -> None:
    """Where it is another one, and the server says so."""
    yes, no = AnswerApprovalRequest(approved=True), AnswerApprovalRequest()
    denied = AnswerApprovalResponse(approved=False)
    assert answered_before(yes, denied) == "it was answered before: it is not allowed"
    assert answered_before(no, AnswerApprovalResponse(approved=True)).endswith("it is allowed")
    assert answered_before(no, denied) == answered_before(yes, AnswerApprovalResponse()) == ""
