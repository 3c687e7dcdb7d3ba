"""Calls of tools and their results in a prompt, as a model can read them.

A round is an assistant's message with calls and, right after it, one result for each. Models that
call tools get rounds as their protocol has them. Everything else is told as text: to models that
call none, and where a call has no result or a result no call. Pure.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.tool_pb2 import ToolCall

ARGUMENTS_TOLD = 2_000
"""Characters of a call's arguments that are told as text; the result matters more."""

# Looking a value up in its enum takes longer than everything else that is done with a message.
_ASSISTANT = MessageRole.MESSAGE_ROLE_ASSISTANT
_TOOL = MessageRole.MESSAGE_ROLE_TOOL

_MARK = re.compile(r"<(?=/?tool_)", re.IGNORECASE)

Calls = Mapping[str, ToolCall]


def units(messages: Sequence[PromptMessage]) -> Iterator[list[PromptMessage]]:
    """The prompt in parts that stay together: an assistant's message with the results of its
    calls that follow it; any other message by itself."""
    unit: list[PromptMessage] = []
    awaited: set[str] = set()
    for message in messages:
        if _is_result(message) and message.tool_call_id in awaited:
            awaited.remove(message.tool_call_id)
            unit.append(message)
            continue
        if unit:
            yield unit
        unit, awaited = [message], {call.id for call in message.tool_calls}
    if unit:
        yield unit


def readable(messages: Sequence[PromptMessage], *, reads_calls: bool) -> Sequence[PromptMessage]:
    """The prompt for a model that is given calls as such, or for one that reads them as text."""
    if not any(m.role == _TOOL or m.tool_calls or m.tool_call_id for m in messages):
        return messages
    calls = {call.id: call for message in messages for call in message.tool_calls}
    found: list[PromptMessage] = []
    for unit in units(messages):
        found += unit if reads_calls and _is_round(unit) else _told(unit, calls)
    return found


def _is_result(message: PromptMessage) -> bool:
    return message.role == _TOOL


def _is_round(unit: Sequence[PromptMessage]) -> bool:
    """Whether every call has its result. Ids that are there twice would be refused."""
    first, *results = unit
    ids = {call.id for call in first.tool_calls}
    speaks = first.role == _ASSISTANT
    return speaks and len(ids) == len(first.tool_calls) == len(results) > 0


def _told(unit: Sequence[PromptMessage], calls: Calls) -> Iterator[PromptMessage]:
    first, *results = unit
    if _is_result(first):
        results = [first]
    elif first.content or not first.tool_calls:
        yield PromptMessage(role=first.role, content=first.content, images=first.images)
    for message in results:
        yield _result(calls.get(message.tool_call_id), message.content)
    answered = {message.tool_call_id for message in results}
    for call in first.tool_calls:
        if call.id not in answered:
            yield _result(call, "There is no result.")


def _result(call: ToolCall | None, content: str) -> PromptMessage:
    """A result as a text of the user's side. Nothing in it can pass for the end of it."""
    told = f"<tool_result>\n{_tamed(content)}\n</tool_result>"
    if call is not None:
        arguments = call.arguments_json[:ARGUMENTS_TOLD]
        told = f"<tool_call>{_tamed(f'{call.tool_id} {arguments}')}</tool_call>\n{told}"
    return PromptMessage(role=_TOOL, content=told)


def _tamed(text: str) -> str:
    return _MARK.sub("< ", text)
