"""What a capsule is given: the only thing that its handler talks to.

A handler is a file `handler.py` with `async def run(skill: Skill) -> Mapping[str, object]`; what it
returns is the result. Everything that passes is JSON, so the same handler runs in the server or in
a process of its own. Further modules of the folder are imported relatively: `from .plan import x`.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class SkillError(Exception):
    """Something that a skill was asked for did not work, or was refused; raised by a handler, why
    the run fails. `reason` is the name of a reason of the contract, such as `REASON_TOOL_RATE`;
    `message` is one sentence for the user."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True)
class ModelInfo:
    """The model that was chosen for this run. `capable` is False for the small local one, which
    cannot plan, judge or cite; `context_window` is in tokens."""

    id: str
    capable: bool
    context_window: int


class Skill(Protocol):
    """One run of a capsule. Methods that fail raise SkillError; what a capsule did not declare in
    its manifest is refused the same way, with REASON_TOOL_NOT_ALLOWED."""

    @property
    def input(self) -> Mapping[str, Any]:
        """What to do; valid under the manifest's input schema."""

    @property
    def state(self) -> Any | None:
        """The last checkpoint of a run that is resumed; None in a new one."""

    @property
    def conversation_id(self) -> str:
        """Conversation for which it runs; empty if none."""

    async def model(self) -> ModelInfo:
        """The model that writes for it. Needs the capability `model`, as do `generate` and
        `stream`."""

    def render(self, prompt: str, **values: object) -> str:
        """The text of `prompts/<prompt>.j2` with values in it. Sandboxed: values are text and
        data, never templates; a name that has no value is an error."""

    async def generate(
        self,
        prompt: str,
        *,
        system: str = "",
        max_tokens: int = 0,
        temperature: float | None = None,
    ) -> str:
        """What the model writes. The manifest's `max_tokens` and `temperature` are the bounds; 0
        and None take them."""

    def stream(
        self,
        prompt: str,
        *,
        system: str = "",
        max_tokens: int = 0,
        temperature: float | None = None,
    ) -> AsyncIterator[str]:
        """The same, piece by piece. Nothing reaches the user by itself: see `write`."""

    async def call_tool(self, tool_id: str, arguments: Mapping[str, Any]) -> Any:
        """What a tool gives. Needs the capability `tools` and the tool on the manifest's list."""

    async def tools(self) -> list[dict[str, Any]]:
        """The tools of the manifest's list that this user may call, by id: id, description,
        parameters (their JSON Schema), idempotent, available, unavailable_because. Needs the
        capability `tools`."""

    async def recall(self, query: str, limit: int = 10) -> list[dict[str, Any]]:
        """What is remembered and fits, the best first: source, content, score, timestamp (RFC
        3339, empty if unknown), id, conversation_id, role. Needs the capability `memory`; without
        a conversation there is nothing to recall from and the list is empty."""

    async def search(self, query: str, limit: int = 10) -> list[dict[str, Any]]:
        """Messages of the user's conversations that fit, the best first: id, conversation_id,
        role, content, score, similarity, timestamp. Needs the capability `search`."""

    async def history(self, limit: int = 50) -> list[dict[str, Any]]:
        """The last messages of the conversation, the oldest first: id, role, content, timestamp,
        turn_id. Needs the capability `history`; empty without a conversation."""

    async def manifest(self, turn_id: str) -> dict[str, Any]:
        """What went into the prompt of a turn and what did not: the contract's ContextManifest with
        the names of its fields, enums in lower case (`source`: `pinned`, `verdict`: `kept`), and
        `degradations`, what was missing: feature, cause; empty if the turn has none. Needs the
        capability `history`."""

    async def progress(self, message: str, fraction: float | None = None) -> None:
        """Tells the user how far it has come, 0 to 1."""

    async def write(self, text: str) -> None:
        """Text for the user, streamed as it is written."""

    async def checkpoint(self, state: Any) -> None:
        """Keeps `state`; it is durable when this returns. A run that ends before its end can go on
        from there. At most 256 kB as JSON."""

    def warn(self, message: str) -> None:
        """Something went wrong without ending the run; the result tells of it."""

    def measure(self, name: str, value: float) -> None:
        """A count or a time for the result's metrics."""
