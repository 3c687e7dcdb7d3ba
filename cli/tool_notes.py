"""What tools do, in a line each. Pure."""

import unicodedata

from kari.conversation_models.v1.tool_pb2 import ToolProgress, ToolResult
from kari.conversation_models.v1.turn_pb2 import ApprovalRequested, TurnEvent

LONGEST = 300
REORDERING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Unicode's marks of direction: with them a text can be shown as another one than it is."""


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
    return line(f"{result.tool_id} gave{cut}: {result.result_json}")


def question(asked: ApprovalRequested) -> str:
    """What the user is asked, with the arguments in full: they are what is allowed."""
    told = f"{asked.call.tool_id} asks for your permission: {asked.description}".rstrip(": ")
    return harmless(f"{told}\narguments: {asked.call.arguments_json}")


def line(text: str) -> str:
    """One line of bounded length, without characters that could move the cursor."""
    shown = harmless(" ".join(text.split()))
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def harmless(text: str) -> str:
    """A text without control characters, with which it could move the cursor or colour what
    follows, and without those that reorder what is around them."""
    return "".join(c if c in "\n\t" or not _moves(c) else "\ufffd" for c in text)


def _moves(character: str) -> bool:
    return unicodedata.category(character) == "Cc" or character in REORDERING
