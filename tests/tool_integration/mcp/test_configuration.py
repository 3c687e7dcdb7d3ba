"""The `mcp` tables of the tools file."""

import pytest

from servers.runtime.settings import Misconfigured
from servers.tool_integration.configuration_file import decode
from servers.tool_integration.mcp.configuration import McpServerEntry

WHOLE = """
[mcp.github]
command = "github-mcp-server"
args = ["stdio"]
env = ["GITHUB_TOKEN"]
env_files = { LICENCE = "/run/secrets/licence" }
roles = ["chat.tools.code"]
allow = ["get_*", "list_issues"]
calls_per_minute = 10

[mcp.tracker]
url = "https://tracker.example.org/mcp"
headers_env = { Authorization = "TRACKER_AUTHORIZATION" }
approval = "always"

[tools."github.get_issue"]
approval = "never"
"""


def test_a_whole_file_is_read() -> None:
    """Names of variables, never their values."""
    found = decode(WHOLE, "tools.toml", ("calculator",))
    assert found.mcp["github"].env == ("GITHUB_TOKEN",)
    assert found.mcp["tracker"].headers_env == {"Authorization": "TRACKER_AUTHORIZATION"}
    assert found.tools["github.get_issue"].approval == "never"


def test_the_list_of_allowed_tools_takes_patterns() -> None:
    entry = McpServerEntry(command="x", allow=("get_*", "list_issues"))
    assert [n for n in ("get_a", "list_issues", "list_x", "forget_a") if entry.allows(n)] == [
        "get_a",
        "list_issues",
    ]
    assert McpServerEntry(command="x").allows("anything")


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("[mcp]\nx = 1", "mcp.x: Expected `object`"),
        ("[mcp.x]", "mcp.x: give it either a `command` or a `url`"),
        ('[mcp.x]\ncommand = "a"\nurl = "http://b"', "give it either a `command` or a `url`"),
        ('[mcp.x]\ncommand = " "', "mcp.x.command: it is empty"),
        ('[mcp.X]\ncommand = "a"', "mcp.X: name it with up to 31 of a-z"),
        ('[mcp.capsule]\ncommand = "a"', "mcp.capsule: tools of Kari's own are called so"),
        ('[mcp.calculator]\ncommand = "a"', "mcp.calculator: tools of Kari's own are called so"),
        ('[mcp.x]\ncommand = "a"\ntimout = 3', "unknown field `timout`; docs/mcp.md"),
        ('[mcp.x]\ncommand = "a"\ntimeout = 0', "mcp.x.timeout: Expected `float` > 0"),
        ('[mcp.x]\ncommand = "a"\napproval = "maybe"', "mcp.x.approval: Invalid enum value"),
        ('[mcp.x]\ncommand = "a"\nenv = ["A B"]', "mcp.x.env[0]: Expected `str` matching"),
        ('[mcp.x]\nurl = "ftp://a"', "mcp.x.url: Expected `str` matching"),
        ('[mcp.x]\nurl = "http://a"\nargs = ["b"]', "`args` and `env` belong to a `command`"),
        ('[mcp.x]\ncommand = "a"\nheaders = { A = "b" }', "a `command` gets none"),
        (
            '[mcp.x]\ncommand = "a"\nenv_values = { API_KEY = "hunter2" }',
            "mcp.x.env_values.API_KEY: looks like a secret",
        ),
        (
            '[mcp.x]\nurl = "http://a"\nheaders = { Authorization = "Bearer b" }',
            "mcp.x.headers.Authorization: looks like a secret",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_and_field(table: str, complaint: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        decode(table, "tools.toml", ("calculator",))
    assert str(refused.value).startswith("tools.toml: ")
    assert complaint in str(refused.value)
    assert "hunter2" not in str(refused.value)
