"""What operators say of tools, as a TOML file says it. `configured.py` reads the file.

A `[tools."id"]` table for each tool that is to differ; `[fetch]` and `[search]` as below;
`[mcp.NAME]` for each MCP server. docs/tools.md shows a whole file. Pure.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from servers.tool_integration.mcp.configuration import McpServerEntry

Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0, le=600)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Host = Annotated[str, Meta(pattern=r"^(\*|\.?[A-Za-z0-9_]([A-Za-z0-9_.:-]*[A-Za-z0-9_])?)$")]


class ToolEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """What differs from a tool as it comes. Unset leaves it as it is; a limit of 0 is none;
    `timeout` in seconds."""

    enabled: bool = True
    roles: tuple[str, ...] | None = None
    calls_per_minute: Count | None = None
    calls_per_hour: Count | None = None
    timeout: Seconds | None = None
    approval: Literal["never", "always"] | None = None


class FetchEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """What `web.fetch` may fetch. Hosts by name, `.example.org` for all under it, `*` for any
    public host; none switches it off. `most_bytes` of a page, `most_characters` of its text."""

    hosts: tuple[Host, ...] = ()
    ports: tuple[Port, ...] = (80, 443)
    most_bytes: Positive = 2_000_000
    most_characters: Positive = 40_000
    timeout: Seconds = 20.0


class SearchEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """The search engine of `web.search`: one that speaks SearXNG's JSON API. `parameters` go into
    every query; the variable that `key_env` names has a key, sent as `Authorization: Bearer`."""

    url: Annotated[str, Meta(pattern=r"^https?://[^\s?#]+$")] | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    key_env: str | None = None
    timeout: Seconds = 10.0


class Configuration(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything the file may say. Empty, tools are as they come."""

    tools: dict[str, ToolEntry] = field(default_factory=dict)
    fetch: FetchEntry = FetchEntry()
    search: SearchEntry = SearchEntry()
    mcp: dict[str, McpServerEntry] = field(default_factory=dict)
