"""A skill for tests of capsules: what models and tools answer is given, what a run did is kept.

For those who write capsules; nothing of Kari has to run. The manifest's rules hold as in earnest.
"""

import asyncio
import importlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from servers.capsules.failing import refused
from servers.capsules.skill import ModelInfo, SkillError
from servers.capsules.version import Version, read_version

PACKAGE = "rehearsed_capsule"

Tool = Callable[[Mapping[str, Any]], Any]


class Rehearsal:
    """One run of the capsule in a folder. `texts` are what the model writes, in order; `tools`
    answer by id; `found` is what `recall`, `search` and `history` give. After `run` the rest tells
    what was done. BrokenCapsule if the folder is none."""

    def __init__(
        self,
        folder: Path,
        given: Mapping[str, Any],
        *,
        texts: Sequence[str] = (),
        tools: Mapping[str, Tool] | None = None,
        found: Sequence[dict[str, Any]] = (),
        state: Any = None,
        capable: bool = True,
        conversation_id: str = "",
    ) -> None:
        self.input, self.state, self.conversation_id = given, state, conversation_id
        self.prompts: list[str] = []
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.told: list[str] = []
        self.text = ""
        self.states: list[Any] = []
        self.warnings: list[str] = []
        self.metrics: dict[str, float] = {}
        self._folder = folder
        self._version: Version = read_version(folder, {}, signed=False, expressions=True)
        self._texts, self._tools, self._found = list(texts), dict(tools or {}), list(found)
        self._capable = capable

    def run(self) -> dict[str, Any]:
        """The result, checked against the schemas. SkillError as the handler raises it;
        AssertionError if input or result break their schema."""
        version = self._version
        assert not (wrong := version.input.violations(dict(self.input))), wrong  # noqa: S101  # for tests
        result = asyncio.run(_handler(self._folder).run(self))
        plain: dict[str, Any] = json.loads(json.dumps(dict(result), allow_nan=False))
        if version.result is not None:
            assert not (wrong := version.result.violations(plain)), wrong  # noqa: S101  # for tests
        return plain

    async def model(self) -> ModelInfo:
        """A model that is capable or not, as it was told."""
        self._needs("model")
        return ModelInfo("rehearsal/model", self._capable, 8192)

    def render(self, prompt: str, **values: object) -> str:
        """The prompt of the folder."""
        return self._version.prompts.render(prompt, values)

    async def generate(self, prompt: str, *, system: str = "", **_bounds: Any) -> str:
        """The next of the texts."""
        self._needs("model")
        self.prompts.append(f"{system}\n{prompt}" if system else prompt)
        if not self._texts:
            raise SkillError("REASON_PROVIDERS_FAILED", "the rehearsal has no text for this")
        return self._texts.pop(0)

    async def stream(self, prompt: str, *, system: str = "", **bounds: Any) -> AsyncIterator[str]:
        """The same, word by word."""
        for word in (await self.generate(prompt, system=system, **bounds)).split(" "):
            yield f"{word} "

    async def call_tool(self, tool_id: str, arguments: Mapping[str, Any]) -> Any:
        """What the tool of the rehearsal answers."""
        self._needs("tools")
        if tool_id not in self._version.manifest.allowed_tools:
            raise refused(f"the manifest does not have `{tool_id}` among its allowed_tools")
        self.calls.append((tool_id, arguments))
        if tool_id not in self._tools:
            raise SkillError("REASON_TOOL_UNAVAILABLE", f"the rehearsal has no tool `{tool_id}`")
        return self._tools[tool_id](arguments)

    async def tools(self) -> list[dict[str, Any]]:
        """Those that the rehearsal has."""
        self._needs("tools")
        return [{"id": name, "available": True} for name in sorted(self._tools)]

    async def recall(self, query: str, limit: int = 10) -> list[dict[str, Any]]:
        """What was given to be found."""
        self._needs("memory")
        return self._found[:limit]

    async def search(self, query: str, limit: int = 10) -> list[dict[str, Any]]:
        """What was given to be found."""
        self._needs("search")
        return self._found[:limit]

    async def history(self, limit: int = 50) -> list[dict[str, Any]]:
        """What was given to be found."""
        self._needs("history")
        return self._found[-limit:]

    async def manifest(self, turn_id: str) -> dict[str, Any]:
        """None is known."""
        self._needs("history")
        return {}

    async def progress(self, message: str, fraction: float | None = None) -> None:
        """Kept in `told`."""
        self.told.append(message)

    async def write(self, text: str) -> None:
        """Kept in `text`."""
        self.text += text

    async def checkpoint(self, state: Any) -> None:
        """Kept in `states`."""
        if not self._version.manifest.resumable:
            raise refused("the manifest does not say `resumable = true`: there is no checkpoint")
        self.states.append(json.loads(json.dumps(state)))

    def warn(self, message: str) -> None:
        """Kept in `warnings`."""
        self.warnings.append(message)

    def measure(self, name: str, value: float) -> None:
        """Kept in `metrics`."""
        self.metrics[name] = value

    def _needs(self, capability: str) -> None:
        if capability not in self._version.manifest.capabilities:
            raise refused(f"the manifest does not have `{capability}` among its capabilities")


def _handler(folder: Path) -> Any:
    """The folder's handler, new each time, as a module of a package so that it finds its
    siblings."""
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    package = ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    return importlib.import_module(f"{PACKAGE}.handler")
