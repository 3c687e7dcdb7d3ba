"""What worked: the tools with which a question was answered, as a statement that is found again by
the next question of its kind. Names only, never what was passed to a tool. Pure.
"""

import json
import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from kari.conversation_models.v1.tool_pb2 import ToolCall, ToolUse
from servers.production_memory.vault.personal_data import without_personal_data
from servers.production_memory.vault.statement import normalized

LEAST_CALLS = 2
"""One call alone is what the next model finds by itself."""
CAPSULE = "capsule."
"""A capsule is a sequence by itself."""

QUESTION_CHARACTERS = 200
READ_CHARACTERS = 4000
MOST_STEPS = 10
MOST_ARGUMENTS = 8

_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")


def is_procedure(used: Iterable[ToolUse]) -> bool:
    """Whether the calls of a completed turn are worth remembering: two that worked, or a
    capsule's."""
    worked = [use for use in used if use.success]
    return len(worked) >= LEAST_CALLS or any(use.tool_id.startswith(CAPSULE) for use in worked)


def sequence_of(calls: Sequence[tuple[str, ToolCall]]) -> str:
    """Calls that worked, by tool and in order, as text: `web_search(query), then http_fetch(url)`.
    What is called again with the same arguments' names is named once."""
    steps = [step for step, _ in groupby(_step(tool_id, call) for tool_id, call in calls)]
    rest = len(steps) - MOST_STEPS
    shown = steps[:MOST_STEPS] + ([f"{rest} more"] if rest > 0 else [])
    return ", then ".join(shown)


def case_of(content: str) -> str:
    """The question of a message: in one line, without personal data, its beginning only."""
    line = " ".join(without_personal_data(content[:READ_CHARACTERS]).replace('"', "'").split())
    if len(line) <= QUESTION_CHARACTERS:
        return line
    return line[:QUESTION_CHARACTERS].rsplit(" ", 1)[0] + " ..."


def statement_of(case: str, sequence: str) -> str:
    """What is remembered."""
    return f'"{case}" was answered with {sequence}.'


def slot_of(case: str) -> str:
    """What the statement is about: questions that differ in their numbers only are one case. Empty
    if the question has no word."""
    words = re.sub(r"\d+", "#", normalized(case))
    return f"procedure for {words}" if words else ""


def _step(tool_id: str, call: ToolCall) -> str:
    return f"{tool_id}({', '.join(_names(call.arguments_json))})"


def _names(arguments_json: str) -> list[str]:
    """In alphabetical order: a model gives them in any."""
    try:
        arguments = json.loads(arguments_json or "{}")
    except (ValueError, RecursionError):
        return []
    if not isinstance(arguments, dict):
        return []
    return sorted(name for name in arguments if _ARGUMENT.fullmatch(name))[:MOST_ARGUMENTS]
