"""What tools do, in a line each. Pure."""

import unicodedata

from kari.chat_hub.v1.chat_hub_pb2 import AnswerApprovalRequest, AnswerApprovalResponse
from kari.conversation_models.v1.tool_pb2 import ToolProgress, ToolResult
from kari.conversation_models.v1.turn_pb2 import ApprovalRequested, TurnEvent
from servers.runtime.tool_warnings import warnings_of

LONGEST = 300
DIRECTIONS = frozenset(
    map(chr, (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)
"""Marks that let text read otherwise than it stands: what is allowed has to be what is shown."""


def tool_note(event: TurnEvent) -> str:
    """What an event of a tool tells; empty if it tells people nothing."""
    match event.WhichOneof("event"):
        case "tool_started":
            call = event.tool_started.call
            return line(f"{call.tool_id} runs: {call.arguments_json}")
        case "tool_progress":
            return progress_note(event.tool_progress)
        case "tool_finished":
            return result_note(event.tool_finished)
        case "approval_answered":
            answered = event.approval_answered
            return "nobody answered in time" if answered.expired else ""
    return ""


def progress_note(progress: ToolProgress) -> str:
    """How far a call has come; empty if it only wrote text."""
    if not progress.message:
        return ""
    part = f" ({progress.fraction:.0%})" if progress.HasField("fraction") else ""
    return line(f"{progress.message}{part}")


def result_note(result: ToolResult) -> str:
    """What came of a call."""
    if not result.success:
        return line(f"{result.tool_id} failed: {result.error.message}")
    cut = ", cut short" if result.truncated else ""
    warned = "".join(f", warning: {warning}" for warning in warnings_of(result))
    return line(f"{result.tool_id} gave{cut}{warned}: {result.result_json}")


def question(asked: ApprovalRequested) -> str:
    """What the user is asked, with the arguments in full: they are what is allowed."""
    told = f"{asked.call.tool_id} asks for your permission: {asked.description}".rstrip(": ")
    return harmless(f"{told}\narguments: {asked.call.arguments_json}")


def answered_before(request: AnswerApprovalRequest, response: AnswerApprovalResponse) -> str:
    """That another answer than this one holds; empty if this one does."""
    if not response.HasField("approved") or response.approved == request.approved:
        return ""
    return f"it was answered before: it is {'' if response.approved else 'not '}allowed"


def line(text: str) -> str:
    """One line of bounded length, without characters that could move the cursor."""
    shown = harmless(" ".join(text.split()))
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def harmless(text: str) -> str:
    """A text without control characters, with which it could move the cursor or colour what
    follows, and without those that turn its direction."""
    return "".join("\ufffd" if _harms(c) else c for c in text)


def _harms(character: str) -> bool:
    if character in DIRECTIONS:
        return True
    return character not in "\n\t" and unicodedata.category(character) == "Cc"
