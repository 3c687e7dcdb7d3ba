"""The skill that a run is given: every wish is checked against the manifest first."""

import json
import math
from collections.abc import AsyncIterator, Mapping
from typing import Any

from kari.conversation_models.v1.tool_pb2 import ToolProgress
from servers.capsules.acting import Acting
from servers.capsules.failing import as_skill_errors, refused
from servers.capsules.knowing import Knowing
from servers.capsules.peers import Peers
from servers.capsules.run import Run
from servers.capsules.skill import ModelInfo, SkillError
from servers.capsules.store import RunKey, Runs
from servers.capsules.writing import Writing

LARGEST_STATE = 256_000
LONGEST_PROGRESS = 500
LONGEST_WARNING = 500
LONGEST_PIECE = 100_000


class GrantedSkill:
    """Implements Skill for one run, with the rights of its user and of its manifest."""

    def __init__(self, run: Run, peers: Peers, runs: Runs) -> None:
        self._run = run
        self._runs = runs
        self._writing = Writing(peers.models, run)
        self._knowing = Knowing(peers, run)
        self._acting = Acting(peers.tools, run)

    @property
    def input(self) -> Mapping[str, Any]:
        """What to do."""
        given: Mapping[str, Any] = self._run.input
        return given

    @property
    def state(self) -> Any | None:
        """The last checkpoint."""
        return self._run.state

    @property
    def conversation_id(self) -> str:
        """Empty if it runs for none."""
        return self._run.conversation_id

    async def model(self) -> ModelInfo:
        """The chosen model."""
        self._needs("model")
        return await self._writing.model()

    def render(self, prompt: str, **values: object) -> str:
        """A prompt with values in it."""
        return self._run.prompts.render(prompt, values)

    async def generate(
        self,
        prompt: str,
        *,
        system: str = "",
        max_tokens: int = 0,
        temperature: float | None = None,
    ) -> str:
        """What the model writes."""
        pieces = self.stream(prompt, system=system, max_tokens=max_tokens, temperature=temperature)
        return "".join([piece async for piece in pieces])

    async def stream(
        self,
        prompt: str,
        *,
        system: str = "",
        max_tokens: int = 0,
        temperature: float | None = None,
    ) -> AsyncIterator[str]:
        """The same, piece by piece."""
        self._needs("model")
        async for piece in self._writing.stream(prompt, system, max_tokens, temperature):
            yield piece

    async def call_tool(self, tool_id: str, arguments: Mapping[str, Any]) -> Any:
        """What a tool gives."""
        self._needs("tools")
        return await self._acting.call(tool_id, arguments)

    async def tools(self) -> list[dict[str, Any]]:
        """The tools that may be called."""
        self._needs("tools")
        return await self._acting.tools()

    async def recall(self, query: str, limit: int = 10) -> list[dict[str, Any]]:
        """What is remembered and fits."""
        self._needs("memory")
        return await self._knowing.recall(query, limit)

    async def search(self, query: str, limit: int = 10) -> list[dict[str, Any]]:
        """Messages that fit."""
        self._needs("search")
        return await self._knowing.search(query, limit)

    async def history(self, limit: int = 50) -> list[dict[str, Any]]:
        """The last messages."""
        self._needs("history")
        return await self._knowing.history(limit)

    async def manifest(self, turn_id: str) -> dict[str, Any]:
        """How the prompt of a turn came about."""
        self._needs("history")
        return await self._knowing.manifest(turn_id)

    async def progress(self, message: str, fraction: float | None = None) -> None:
        """How far it has come."""
        step = ToolProgress(message=message[:LONGEST_PROGRESS])
        if fraction is not None and math.isfinite(fraction):
            step.fraction = min(1.0, max(0.0, fraction))
        await self._run.tell(step)

    async def write(self, text: str) -> None:
        """Text for the user."""
        for start in range(0, len(text), LONGEST_PIECE):
            await self._run.tell(ToolProgress(text=text[start : start + LONGEST_PIECE]))

    async def checkpoint(self, state: Any) -> None:
        """Keeps the state."""
        run = self._run
        if not run.manifest.resumable:
            run.deny("capability", "checkpoint")
            raise refused("the manifest does not say `resumable = true`: there is no checkpoint")
        text = json.dumps(state, ensure_ascii=False)
        if len(text.encode()) > LARGEST_STATE:
            raise SkillError("REASON_TOO_LARGE", f"a state is larger than {LARGEST_STATE} bytes")
        key = RunKey(run.id, run.manifest.id, run.who, run.holder)
        with as_skill_errors():
            kept = await self._runs.keep(key, run.conversation_id, run.input_json, text)
        if not kept:
            raise SkillError("REASON_RUN_NOT_FOUND", "the run was taken over, or is over")
        run.notes.checkpoints = kept

    def warn(self, message: str) -> None:
        """Something went wrong on the way."""
        self._run.notes.warn(message[:LONGEST_WARNING])

    def measure(self, name: str, value: float) -> None:
        """A measure."""
        if math.isfinite(value):
            self._run.notes.measure(name[:100], float(value))

    def _needs(self, capability: str) -> None:
        if capability not in self._run.manifest.capabilities:
            self._run.deny("capability", capability)
            raise refused(f"the manifest does not have `{capability}` among its capabilities")
