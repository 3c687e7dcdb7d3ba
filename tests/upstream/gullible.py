"""The model named `gullible`: it does what it reads, whoever says it.

A line `!calculator {"expression": "6*7"}` of its user's message, and as well of any text in the
result of a tool, is a call; results without any are answered with `Results: ` and what they are.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.upstream.script import Call, Script, asks_for, declared, says

_LINE = re.compile(r"^!(\S+) ?(.*)$", re.MULTILINE)
_MARKED = re.compile(r"<<<([0-9a-f]{24})\n(.*)\n\1>>>", re.DOTALL)


def believe(body: dict[str, Any]) -> Script:
    """The answer to a request of OpenAI's protocol."""
    last = body["messages"][-1:]
    for message in reversed(body["messages"][:-1]):
        if last[0]["role"] != "tool" or message["role"] != "tool":
            break
        last.insert(0, message)
    contents = [str(message["content"]) for message in last]
    lines = [line for content in contents for text in _texts(content) for line in _lines(text)]
    calls = [Call(declared(tool), arguments or "{}") for tool, arguments in lines]
    return asks_for(*calls) if calls else says("Results: ", "\n".join(contents))


def _lines(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = _LINE.findall(text)
    return found


def _texts(content: str) -> Iterator[str]:
    """A message, and every text within a result that it holds."""
    yield content
    left = [json.loads(result) for _, result in _MARKED.findall(content)]
    while left:
        part = left.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            left += part.values()
        elif isinstance(part, list):
            left += part
