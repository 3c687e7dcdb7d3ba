"""What tools are called on the wire: protocols allow letters, digits, `_` and `-`, 64 at most.

A name that is allowed stays as it is. In others each character that is not becomes `_`; where that
is too long or taken, the end makes room for a digest of the id. The same ids in the same order
give the same names, so the rounds of a turn agree without anybody remembering. Pure.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Self

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.tool_pb2 import Tool

LONGEST = 64
LONGEST_ID = 200
"""Characters of a tool's id in the contract."""

_ALLOWED = re.compile(rf"[a-zA-Z0-9_-]{{1,{LONGEST}}}")
_OTHER = re.compile(r"[^a-zA-Z0-9_-]")


class ToolNames:
    """Names of the tools of one request, there and back."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        known = list(dict.fromkeys(ids))
        self._names = {tool_id: tool_id for tool_id in known if _ALLOWED.fullmatch(tool_id)}
        self._ids = dict(self._names)
        for tool_id in known:
            if tool_id not in self._names:
                name = self._free(tool_id)
                self._names[tool_id], self._ids[name] = name, tool_id

    @classmethod
    def of(cls, tools: Iterable[Tool], messages: Iterable[PromptMessage]) -> Self:
        """Of tools that are offered, and of those that were called before."""
        called = (call.tool_id for message in messages for call in message.tool_calls)
        return cls([*(tool.id for tool in tools), *called])

    def on_the_wire(self, tool_id: str) -> str:
        """The name of a tool of this request."""
        return self._names[tool_id]

    def tool_id(self, name: str) -> str:
        """The tool that a name means. One that the model made up stays as it is, so that whoever
        runs tools refuses it; one that is too long for an id becomes none."""
        found = self._ids.get(name, name)
        return found if len(found) <= LONGEST_ID else f"{found[: LONGEST_ID - 1]}…"

    def _free(self, tool_id: str) -> str:
        name = _OTHER.sub("_", tool_id)
        number = 0
        while not name or len(name) > LONGEST or name in self._ids:
            digest = hashlib.sha256(f"{number}{tool_id}".encode()).hexdigest()[:8]
            name = f"{_OTHER.sub('_', tool_id)[: LONGEST - 9]}_{digest}"
            number += 1
        return name
