"""One run of a capsule: for whom, with what, and what it leaves besides its result."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.tool_pb2 import ToolProgress
from servers.capsules.manifest import Manifest
from servers.capsules.prompts import Prompts
from servers.runtime.call import Principal

Tell = Callable[[ToolProgress], Awaitable[None]]
"""Sends progress to whoever listens; waits for a slow one."""

Deny = Callable[[str, str], None]
"""Puts on record what a capsule was refused: what kind of thing, and which."""

MOST_DENIED = 20
"""Different refusals of a run that are put on record one by one; all are counted."""
MOST_NOTES = 100
"""Warnings, and measures, that a run can leave."""


@dataclass
class Notes:
    """What a run leaves besides its result."""

    warnings: list[str] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    checkpoints: int = 0
    denials: int = 0
    denied: set[tuple[str, str]] = field(default_factory=set)

    def deny(self, kind: str, name: str) -> bool:
        """Counts a refusal; whether it is a new one, to be put on record."""
        self.denials += 1
        new = (kind, name) not in self.denied and len(self.denied) < MOST_DENIED
        if new:
            self.denied.add((kind, name))
        return new

    def warn(self, message: str) -> None:
        """Adds a warning, once."""
        if message not in self.warnings and len(self.warnings) < MOST_NOTES:
            self.warnings.append(message)

    def measure(self, name: str, value: float) -> None:
        """Sets a measure."""
        if name in self.metrics or len(self.metrics) < MOST_NOTES:
            self.metrics[name] = value

    def used_model(self, name: str) -> None:
        """Notes a model that wrote."""
        if name not in self.models:
            self.models.append(name)

    def used_tool(self, name: str) -> None:
        """Notes a tool that was called."""
        if name not in self.tools:
            self.tools.append(name)


@dataclass(frozen=True)
class Run:
    """A run under way. `conversation` is None if it is for none."""

    id: str
    manifest: Manifest
    prompts: Prompts
    who: Principal
    input: Any
    input_json: str
    holder: str
    tell: Tell
    deny: Deny
    state: Any = None
    conversation: Conversation | None = None
    turn_id: str = ""
    depth: int = 0
    notes: Notes = field(default_factory=Notes)

    @property
    def conversation_id(self) -> str:
        """Of the conversation; empty if it is for none."""
        return self.conversation.id if self.conversation is not None else ""
