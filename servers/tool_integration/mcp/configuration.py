"""MCP servers, as the tools file says: a `[mcp.NAME]` table for each. What is to differ for one of
its tools is in a table of that tool, as for every other. docs/mcp.md shows whole ones. Pure.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from servers.runtime.settings import Misconfigured

Seconds = Annotated[float, Meta(gt=0, le=600)]
Count = Annotated[int, Meta(ge=0)]
Approval = Literal["always", "never", "unless_read_only"]
Variable = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
SECRET = re.compile(r"auth|token|key|secret|password|cookie", re.IGNORECASE)


class McpServerEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One MCP server: a `command` that is started and spoken to over its standard input and output,
    or the `url` of one that speaks streamable HTTP.

    Secrets are not written here: `env` names variables of Kari's own environment that the command
    gets, `env_files` files with the value of a variable, `headers_env` variables and
    `headers_files` files with the value of a header. A user needs all of `roles`. `allow` are names
    or patterns of tools; empty is all. Limits are each tool's, per user; 0 is none. `timeout` is a
    call's, `start_timeout` that of the first answers. `handshake = "initialize"` does not ask the
    server first whether it knows the newest protocol, which a few answer by hanging.
    """

    command: str | None = None
    args: tuple[str, ...] = ()
    folder: str | None = None
    env: tuple[Variable, ...] = ()
    env_values: dict[Variable, str] = field(default_factory=dict)
    env_files: dict[Variable, str] = field(default_factory=dict)
    url: Annotated[str, Meta(pattern=r"^https?://[^\s#]+$")] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    headers_env: dict[str, Variable] = field(default_factory=dict)
    headers_files: dict[str, str] = field(default_factory=dict)
    enabled: bool = True
    roles: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    approval: Approval = "unless_read_only"
    calls_per_minute: Count = 30
    calls_per_hour: Count = 300
    timeout: Seconds = 30.0
    start_timeout: Seconds = 30.0
    handshake: Literal["auto", "initialize"] = "auto"
    most_tools: Annotated[int, Meta(ge=1, le=1000)] = 128

    def allows(self, tool: str) -> bool:
        """Whether the list lets a tool of this name through."""
        return not self.allow or any(fnmatchcase(tool, pattern) for pattern in self.allow)


def entries_of(tables: object, file: str, tools: Collection[str] = ()) -> dict[str, McpServerEntry]:
    """The servers of the `mcp` tables of a file. Misconfigured if one of them is wrong, naming the
    field and the way out. `tools` are the ids of tools of Kari's own."""
    if not isinstance(tables, dict):
        raise Misconfigured(f"{file}: mcp: write a table, `[mcp.NAME]`, for each server")
    entries = {name: _entry(name, table, file) for name, table in tables.items()}
    taken = {"capsule", *(tool_id.partition(".")[0] for tool_id in tools)}
    for complaint in _complaints(entries, taken):
        raise Misconfigured(f"{file}: {complaint}")
    return entries


def _entry(name: str, table: object, file: str) -> McpServerEntry:
    try:
        return msgspec.convert(table, McpServerEntry)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        where = f"mcp.{name}{path.rstrip('`')}"
        raise Misconfigured(
            f"{file}: {where}: {problem}; docs/mcp.md shows what belongs there"
        ) from error


def _complaints(servers: Mapping[str, McpServerEntry], taken: Collection[str]) -> Iterator[str]:
    """What is wrong with the entries beyond their types, each with the field and the way out."""
    for name, entry in servers.items():
        where = f"mcp.{name}"
        if not NAME.fullmatch(name):
            yield f"{where}: name it with up to 31 of a-z, 0-9, `_` and `-`, a letter first"
        if name in taken:
            yield f"{where}: tools of Kari's own are called so; choose another name"
        yield from _of_entry(where, entry)


def _of_entry(where: str, entry: McpServerEntry) -> Iterator[str]:
    if (entry.command is None) == (entry.url is None):
        yield f"{where}: give it either a `command` or a `url`"
    if entry.command is not None and entry.command.strip() == "":
        yield f"{where}.command: it is empty; name a program"
    if entry.command is not None and (entry.headers or entry.headers_env or entry.headers_files):
        yield f"{where}.headers: a `command` gets none; they belong to a `url`"
    if entry.url is not None and (entry.args or entry.env or entry.env_values or entry.env_files):
        yield f"{where}: `args` and `env` belong to a `command`, not to a `url`"
    yield from _of_secrets(where, entry)


def _of_secrets(where: str, entry: McpServerEntry) -> Iterator[str]:
    kinds = (("env_values", entry.env_values, "env"), ("headers", entry.headers, "headers_env"))
    for field_name, given, instead in kinds:
        for key in given:
            if SECRET.search(key):
                yield (
                    f"{where}.{field_name}.{key}: looks like a secret, which does not belong into "
                    f"this file; use `{instead}` or a file of its own"
                )
