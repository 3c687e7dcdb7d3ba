"""The server's end of the line to a capsule's process: does what it asks for, within bounds.

Whatever comes over the line is a stranger's: it is read as the few messages that there are, and
anything else ends the run.
"""

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Protocol

import structlog

from servers.capsules.skill import Skill, SkillError
from servers.capsules.version import HandlerFailed

LONGEST_LINE = 2_000_000
"""Bytes: longer than any result, state or text that is taken."""
MOST_AT_ONCE = 64
"""The worker keeps to fewer."""
MOST_MESSAGES = 50_000

_HALVES = re.compile(r"\\u[dD][89a-fA-F]")

log = structlog.get_logger("kari.capsules")


class Pipes(Protocol):
    """What leads to a process."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader


class Talk:
    """One run in a process of its own."""

    def __init__(self, pipes: Pipes, skill: Skill | None) -> None:
        self._pipes = pipes
        self._skill = skill
        self._heard = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: dict[tuple[str, str], SkillError] = {}

    async def result(self, order: Mapping[str, Any]) -> Any:
        """Gives the order and what came of it; SkillError as the handler raised it, HandlerFailed
        if it failed, said something else or ended without a word."""
        await self._say(order)
        try:
            async for message in self._messages():
                if "result" in message:
                    return message["result"]
                if "failed" in message:
                    raise HandlerFailed(str(message["failed"])[:500])
                if "reason" in message:
                    raise self._raised(str(message["reason"]), str(message.get("message", "")))
                self._take(message)
            raise HandlerFailed("its process ended before the run did")
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _messages(self) -> AsyncIterator[dict[str, Any]]:
        rest = b""
        while chunk := await self._pipes.stdout.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield _parsed(line)
            if len(rest) > LONGEST_LINE:
                raise HandlerFailed(f"it wrote more than {LONGEST_LINE} bytes in one message")

    def _take(self, message: Mapping[str, Any]) -> None:
        skill = self._skill
        if skill is None:
            raise HandlerFailed("it asked for something while it was looked at")
        self._heard += 1
        if self._heard > MOST_MESSAGES:
            raise HandlerFailed(f"it wrote more than {MOST_MESSAGES} messages")
        if "warn" in message:
            skill.warn(str(message["warn"]))
        elif "measure" in message:
            skill.measure(str(message["measure"]), _number(message.get("value")))
        elif "ask" in message:
            self._begin(message)
        else:
            raise HandlerFailed("it wrote a message that is none")

    def _begin(self, message: Mapping[str, Any]) -> None:
        if len(self._tasks) >= MOST_AT_ONCE:
            raise HandlerFailed(f"it asked for more than {MOST_AT_ONCE} things at once")
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Mapping[str, Any]) -> None:
        asked = message["ask"]
        try:
            value = await self._do(asked, message.get("call"), message.get("arguments"))
        except SkillError as error:
            self._failures = {(error.reason, error.message): error}
            await self._say({"answer": asked, "reason": error.reason, "message": error.message})
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
            # Arguments of a wrong kind: the capsule's own doing, or that of who plays one.
            log.warning("a capsule asked wrongly", error=type(error).__name__)
            wrong = {"reason": "REASON_FIELD_INVALID", "message": "an argument is of a wrong kind"}
            await self._say({"answer": asked, **wrong})
        else:
            await self._say({"answer": asked, "value": value})

    async def _do(self, asked: Any, call: Any, arguments: Any) -> Any:
        skill = self._skill
        given = arguments if isinstance(arguments, dict) else {}
        assert skill is not None  # noqa: S101  # `_take` has looked
        match call:
            case "model":
                return asdict(await skill.model())
            case "stream":
                async for piece in skill.stream(given.pop("prompt"), **given):
                    await self._say({"answer": asked, "piece": piece})
                return None
            case "call_tool" | "tools" | "recall" | "search" | "history" | "manifest":
                return await getattr(skill, call)(**given)
            case "progress" | "write" | "checkpoint":
                return await getattr(skill, call)(**given)
        raise SkillError("REASON_FIELD_INVALID", "a skill has no such thing")

    def _raised(self, reason: str, message: str) -> SkillError:
        """What the handler raised: if it is what it was told last, the whole of that."""
        return self._failures.get((reason, message)) or SkillError(reason, message)

    async def _say(self, message: Mapping[str, Any]) -> None:
        # A process that is gone is told by the end of what it writes.
        with suppress(ConnectionError):
            self._pipes.stdin.write(json.dumps(message).encode() + b"\n")
            await self._pipes.stdin.drain()


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        # Strictly UTF-8, and no half a character as an escape: it would be in results and errors,
        # which could not be sent on.
        text = line.decode()
        message = json.loads(text)
        if _HALVES.search(text):
            json.dumps(message, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise HandlerFailed("it wrote something that is no message")
    return message


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, int | float) else 0.0
    except OverflowError:
        return math.inf
