"""Decoding and checking the tools file: text in, configuration out.

Every complaint names the file, the field and the way out. Pure.
"""

import tomllib
from collections.abc import Collection, Iterator
from typing import Any, TypeVar

import msgspec

from servers.runtime.settings import Misconfigured
from servers.tool_integration.configuration import Configuration, ToolEntry
from servers.tool_integration.mcp.configuration import entries_of

T = TypeVar("T")

CAPSULE = "capsule."
"""How the ids of capsules begin."""


class ConfigurationError(Misconfigured):
    """The tools file is wrong; the message is for the person who wrote it."""


def decode(text: str, file: str, built_in: Collection[str]) -> Configuration:
    """The configuration in a TOML text; `file` is its name for complaints, `built_in` are the ids
    of the tools that are always there."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: not TOML: {error}") from error
    tools = raw.pop("tools", {})
    if not isinstance(tools, dict):
        raise ConfigurationError(f'{file}: tools: write a table, `[tools."ID"]`, for each')
    servers = entries_of(raw.pop("mcp", {}), file, built_in)
    configuration = _convert(raw, Configuration, file, "")
    known = (*built_in, *(f"{name}." for name in servers))
    for complaint in _strangers(tools, known):
        raise ConfigurationError(f"{file}: {complaint}")
    entries = {
        name: _convert(entry, ToolEntry, file, f'tools."{name}"') for name, entry in tools.items()
    }
    return msgspec.structs.replace(configuration, tools=entries, mcp=servers)


def _convert(raw: Any, kind: type[T], file: str, where: str) -> T:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        field = f"{where}{path.rstrip('`')}".strip(".") or "the file"
        raise ConfigurationError(f"{file}: {field}: {problem}{_way_out(problem)}") from error


def _way_out(problem: str) -> str:
    if "unknown field" in problem:
        return "; remove it, or look for a spelling mistake (docs/tools.md lists all fields)"
    return "; docs/tools.md shows what belongs there"


def _strangers(tools: dict[str, Any], known: Collection[str]) -> Iterator[str]:
    """Ids that no tool can have. Those of capsules and MCP servers come and go."""
    prefixes = (CAPSULE, *(name for name in known if name.endswith(".")))
    for tool_id, entry in tools.items():
        if tool_id in known or tool_id.startswith(prefixes):
            continue
        inner = [name for name in entry if isinstance(entry[name], dict)] if entry else []
        if inner:
            yield f'tools.{tool_id}: write the id in quotes: `[tools."{tool_id}.{inner[0]}"]`'
        there = ", ".join(name for name in known if not name.endswith("."))
        yield (
            f'tools."{tool_id}": there is no such tool; known are {there}, those that begin with '
            "`capsule.`, and those of MCP servers, which begin with the server's name and a dot"
        )
