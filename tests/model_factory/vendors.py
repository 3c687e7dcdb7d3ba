"""Requests as the vendors' own types have them: an independent check of what is sent."""

import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter


@cache
def fields(provider: str) -> dict[str, TypeAdapter[Any]]:
    """What a vendor's types are for. They are imported when a test wants them: both vendors'
    packages cost every worker seconds while it collects."""
    if provider == "openai":
        from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

        return {
            "messages": TypeAdapter(list[ChatCompletionMessageParam]),
            "tools": TypeAdapter(list[ChatCompletionToolParam]),
        }
    from anthropic.types import MessageParam, ToolParam

    return {
        "messages": TypeAdapter(list[MessageParam]),
        "tools": TypeAdapter(list[ToolParam]),
    }


def approved(provider: str, body: dict[str, Any]) -> dict[str, Any]:
    """The body, once its messages and tools were found to be what the vendor's client sends."""
    for field, kind in fields(provider).items():
        if field in body:
            exhaust(kind.validate_python(body[field]))
    for tool in body.get("tools", []):
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.get("function", tool)["name"])
    return body


def exhaust(value: Any) -> None:
    """Reads everything: what is in an iterable is checked when it is read."""
    if isinstance(value, dict):
        for item in value.values():
            exhaust(item)
    elif hasattr(value, "__iter__") and not isinstance(value, str | bytes):
        for item in value:
            exhaust(item)
