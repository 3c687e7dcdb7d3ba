"""Capsules that belong to Kari: they run in the server, as coroutines that are trusted."""

import importlib
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import structlog

from servers.capsules.run import Deny
from servers.capsules.skill import Skill, SkillError
from servers.capsules.version import HandlerFailed
from servers.runtime.tracebacks import without_text

FOLDER = Path(__file__).with_name("built_in")
PACKAGE = "servers.capsules.built_in"

log = structlog.get_logger("kari.capsules")


class InServer:
    """The handler of a built-in capsule; its code changes with the server's."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: ModuleType | None = None

    async def run(self, skill: Skill, seconds: float, deny: Deny) -> Any:
        """Awaits the handler."""
        try:
            return await self._handler().run(skill)
        except SkillError:
            raise
        except Exception as error:
            log.error("a capsule failed", capsule=self._name, traceback=without_text(error))
            raise HandlerFailed(told(error, FOLDER / self._name)) from error

    async def check(self) -> str:
        """Imports it."""
        try:
            self._handler()
        except Exception as error:  # whatever it is, the others are served
            log.error("a built-in capsule cannot be imported", exc_info=error)
            return told(error, FOLDER / self._name)
        return ""

    def _handler(self) -> Any:
        if self._module is None:
            self._module = importlib.import_module(f"{PACKAGE}.{self._name}.handler")
        return self._module


def told(error: BaseException, folder: Path) -> str:
    """An error by its kind and the last line of the folder that it went through; what it says may
    hold what nobody should read."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(folder):
            path = Path(frame.filename).relative_to(folder)
            return f"{type(error).__name__} in {path} line {frame.lineno}"
    return type(error).__name__
