"""Which tools a model is told of. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from kari.conversation_models.v1.model_pb2 import Model
from kari.conversation_models.v1.tool_pb2 import Tool

MOST = 128
"""The contract's largest number of tools in one request."""
AROUND = 350
"""Tokens that say how tools are called, whatever they are; the most that a vendor names."""
SURE = 0.85
"""Sizes are estimates: what a model's factory counts may be more."""
CHARACTERS_PER_TOKEN = 4
"""Of English and JSON, about."""
OVERHEAD = 12
"""Tokens that wrap the declaration of one tool, about."""


@dataclass(frozen=True)
class Offer:
    """The tools of a turn and the tokens that they take of its prompt."""

    tools: tuple[Tool, ...] = ()
    tokens: int = 0
    left_out: tuple[str, ...] = ()
    """Ids of those for which there was no room."""

    @property
    def ids(self) -> list[str]:
        """Ids of the tools."""
        return [tool.id for tool in self.tools]

    def tool(self, tool_id: str) -> Tool | None:
        """One of the tools; None if it is not among them."""
        return next((tool for tool in self.tools if tool.id == tool_id), None)


def room_for_tools(model: Model) -> int:
    """Tokens that tools may take of a model's window, beside the context: a quarter of it, and no
    more than half of what an answer leaves, which is the most that its factory declares."""
    window = model.context_window
    answer = min(model.max_output_tokens or window, window // 2)
    declared = int(((window - answer) // 2 - AROUND) * SURE)
    return max(0, min(window // 4, declared))


def offer(tools: Iterable[Tool], room: int) -> Offer:
    """What can be offered in so many tokens: Kari's own first, then capsules, then those of MCP
    servers, each by id. What does not fit any more is left out."""
    kept, left, tokens = list[Tool](), list[str](), 0
    for tool in sorted(tools, key=lambda tool: (tool.source, tool.id)):
        size = declaration_tokens(tool)
        if len(kept) < MOST and tokens + size <= room:
            kept.append(tool)
            tokens += size
        else:
            left.append(tool.id)
    return Offer(tuple(kept), tokens, tuple(left))


def declaration_tokens(tool: Tool) -> int:
    """About what a tool takes of a prompt: its name, what it does, its schema. How it is written
    there is the provider's, so it is not counted more exactly than by its length."""
    texts = (tool.id, tool.description, tool.parameters_schema)
    return sum(map(len, texts)) // CHARACTERS_PER_TOKEN + OVERHEAD
