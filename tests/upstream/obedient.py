"""The model named `obedient`: it calls the tools that its user's last message names.

A line a call, `!calculator {"expression": "6*7"}`; without any it answers `Nothing to do.`. Once
it has read results, as its protocol has them or told as text, it answers `Results: ` and the
results, one a line. So tests that run at the same time need no scripts.
"""

import re
from collections.abc import Iterator
from typing import Any

from tests.upstream.script import Call, Script, asks_for, declared, says

_TOLD = re.compile(r"<tool_result>\n(.*?)\n</tool_result>", re.DOTALL)
_LINE = re.compile(r"^!(\S+) ?(.*)$", re.MULTILINE)


def obey(body: dict[str, Any]) -> Script:
    """The answer to a request of either protocol."""
    results: list[str] = []
    for message in reversed(body["messages"]):
        found = list(_results(message))
        results = found + results
        if message["role"] == "user" and not found:
            break
    else:
        return says("Nothing to do.")
    if results:
        return says("Results: ", "\n".join(results))
    calls = [Call(declared(tool), text or "{}") for tool, text in _LINE.findall(_text(message))]
    return asks_for(*calls) if calls else says("Nothing to do.")


def _results(message: dict[str, Any]) -> Iterator[str]:
    if message["role"] == "tool":
        yield _text(message)
    elif isinstance(message["content"], list):
        for block in message["content"]:
            if block["type"] == "tool_result":
                yield str(block.get("content", ""))
    if message["role"] == "user":
        yield from _TOLD.findall(_text(message))


def _text(message: dict[str, Any]) -> str:
    content = message["content"] or ""
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content)
