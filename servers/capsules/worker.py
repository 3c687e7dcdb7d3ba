"""The process of a capsule outside the tree: runs its handler and asks the server for the rest.

A script for a jail (`python -I -S worker.py`), with the standard library, this folder's `skill` and
`prompts`, and the capsule at /capsule. Speaks JSON lines over stdin and stdout: the first line says
what to do, the last one what came of it. What the handler prints goes to stderr.
"""

import asyncio
import importlib
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator, Mapping
from types import ModuleType
from typing import Any

MOST_AT_ONCE = 16
"""Things asked for, and texts streamed, at the same time; more wait for their turn."""
LIBRARY, CAPSULE = "/library", "/capsule"
PACKAGE = "capsule"

if __name__ == "__main__":
    sys.path.insert(0, LIBRARY)

from servers.capsules.skill import ModelInfo, SkillError  # noqa: E402  # found on that path


class Line:
    """The line to the server: one JSON value a line, read without threads, so that `render` and
    what else cannot wait stay as they are."""

    def __init__(self) -> None:
        self._read = 0
        self._write = os.dup(1)
        os.dup2(2, 1)
        self._rest = b""

    def say(self, message: Mapping[str, Any]) -> None:
        """Writes one message; waits if the server is slow. ValueError if it is no JSON."""
        line = json.dumps(message, allow_nan=False, ensure_ascii=False).encode() + b"\n"
        while line:
            line = line[os.write(self._write, line) :]

    def first(self) -> Any:
        """Waits for a message."""
        while not (found := self.more()):
            pass
        return found[0]

    def more(self) -> list[Any]:
        """What has come; waits if nothing has. The server's end of the line is the end."""
        chunk = os.read(self._read, 65_536)
        if not chunk:
            os._exit(1)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [json.loads(line) for line in lines]

    def watch(self, heard: Any) -> None:
        """Calls `heard` with each message from now on."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._read, lambda: [heard(message) for message in self.more()])


class FarSkill:
    """Implements Skill by asking the server."""

    def __init__(self, line: Line, start: Mapping[str, Any]) -> None:
        self.input = start["input"]
        self.state = start["state"]
        self.conversation_id = start["conversation_id"]
        self._templates = start["prompts"]
        self._prompts: Any = None
        self._line = line
        self._asked = 0
        self._answers: dict[int, asyncio.Queue[Any]] = {}
        self._asking, self._streaming = (asyncio.Semaphore(MOST_AT_ONCE) for _ in range(2))
        line.watch(self._heard)

    async def model(self) -> ModelInfo:
        """The chosen model."""
        return ModelInfo(**await self._ask("model"))

    def render(self, prompt: str, **values: object) -> str:
        """A prompt with values in it; made here, so that what a template does harms nobody else."""
        if self._prompts is None:
            from servers.capsules.prompts import Prompts

            self._prompts = Prompts(self._templates)
        rendered: str = self._prompts.render(prompt, values)
        return rendered

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
        async with self._streaming:
            asked = self._put(
                "stream",
                prompt=prompt,
                system=system,
                max_tokens=max_tokens,
                temperature=temperature,
            )
            while (answer := await self._next(asked)).get("piece") is not None:
                yield answer["piece"]

    async def call_tool(self, tool_id: str, arguments: Mapping[str, Any]) -> Any:
        """What a tool gives."""
        return await self._ask("call_tool", tool_id=tool_id, arguments=dict(arguments))

    async def tools(self) -> Any:
        """The tools that may be called."""
        return await self._ask("tools")

    async def recall(self, query: str, limit: int = 10) -> Any:
        """What is remembered and fits."""
        return await self._ask("recall", query=query, limit=limit)

    async def search(self, query: str, limit: int = 10) -> Any:
        """Messages that fit."""
        return await self._ask("search", query=query, limit=limit)

    async def history(self, limit: int = 50) -> Any:
        """The last messages."""
        return await self._ask("history", limit=limit)

    async def manifest(self, turn_id: str) -> Any:
        """How the prompt of a turn came about."""
        return await self._ask("manifest", turn_id=turn_id)

    async def progress(self, message: str, fraction: float | None = None) -> None:
        """How far it has come."""
        await self._ask("progress", message=message, fraction=fraction)

    async def write(self, text: str) -> None:
        """Text for the user."""
        await self._ask("write", text=text)

    async def checkpoint(self, state: Any) -> None:
        """Keeps the state."""
        await self._ask("checkpoint", state=state)

    def warn(self, message: str) -> None:
        """Something went wrong on the way."""
        self._line.say({"warn": str(message)})

    def measure(self, name: str, value: float) -> None:
        """A measure."""
        self._line.say({"measure": str(name), "value": float(value)})

    def _put(self, call: str, **arguments: Any) -> int:
        self._asked += 1
        self._answers[self._asked] = asyncio.Queue()
        self._line.say({"ask": self._asked, "call": call, "arguments": arguments})
        return self._asked

    async def _ask(self, call: str, **arguments: Any) -> Any:
        async with self._asking:
            return (await self._next(self._put(call, **arguments))).get("value")

    async def _next(self, asked: int) -> Any:
        answer = await self._answers[asked].get()
        if "piece" not in answer:
            del self._answers[asked]
        if "reason" in answer:
            raise SkillError(answer["reason"], answer["message"])
        return answer

    def _heard(self, message: Any) -> None:
        if (queue := self._answers.get(message.get("answer"))) is not None:
            queue.put_nowait(message)


def handler() -> ModuleType:
    """The capsule's handler, of the folder's package."""
    package = ModuleType(PACKAGE)
    package.__path__ = [CAPSULE]
    sys.modules[PACKAGE] = package
    return importlib.import_module(f"{PACKAGE}.handler")


def told(error: BaseException) -> str:
    """An error by its kind and the last line of the capsule that it went through. Of what cannot be
    imported or is no Python it is said what; what else an error says is for the log."""
    if isinstance(error, SyntaxError):
        file = os.path.relpath(error.filename or "", CAPSULE)
        return f"{file} line {error.lineno}: {error.msg}"
    what = type(error).__name__
    if isinstance(error, ImportError):
        what = f"{what} ({error})"
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        if frame.filename.startswith(f"{CAPSULE}/"):
            return f"{os.path.relpath(frame.filename, CAPSULE)} line {frame.lineno}: {what}"
    return what


def uncompiled(templates: Mapping[str, str]) -> str:
    """What is wrong with the first template that cannot be compiled; empty if nothing is."""
    if not templates:
        return ""
    from servers.capsules.prompts import Prompts

    return Prompts(templates).first_uncompiled()


async def work(line: Line, start: Mapping[str, Any]) -> None:
    """Runs the handler and says what came of it."""
    try:
        run = handler().run
        if "check" in start:
            wrong = uncompiled(start["prompts"])
            return line.say({"failed": wrong} if wrong else {"result": None})
        result = await run(FarSkill(line, start))
    except SkillError as error:
        return line.say({"reason": str(error.reason), "message": str(error.message)})
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is told
        traceback.print_exc()
        return line.say({"failed": told(error)})
    try:
        return line.say({"result": dict(result) if isinstance(result, Mapping) else result})
    except (TypeError, ValueError, RecursionError):
        return line.say({"failed": "its result is not JSON"})


def main() -> None:
    """One order, one answer."""
    line = Line()
    asyncio.run(work(line, line.first()))
    # Threads and exit handlers of the capsule are not waited for.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
