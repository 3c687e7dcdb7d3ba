"""The tools file: what it may say, and what is said about mistakes."""

import re
from pathlib import Path
from typing import Any

import pytest

from kari.conversation_models.v1.tool_pb2 import ApprovalPolicy
from servers.runtime.settings import Settings
from servers.tool_integration import configured
from servers.tool_integration.built_in.calculator import CALCULATOR
from servers.tool_integration.built_in.ids import IDS
from servers.tool_integration.built_in.offers import BuiltIn, Peers
from servers.tool_integration.configuration import Configuration, SearchEntry
from servers.tool_integration.configuration_file import ConfigurationError, decode

GOOD = """
[tools.calculator]
calls_per_minute = 5
[tools."web.fetch"]
enabled = false
[tools."capsule.web_researcher"]
approval = "always"
[tools."github.create_issue"]
roles = ["chat.tools.github"]
[fetch]
hosts = [".example.org", "93.184.216.34", "*"]
[search]
url = "http://127.0.0.1:8888/search"
[mcp.github]
command = "x"
"""
ROOT = Path(__file__).parents[2]
NOBODY: Any = None


def test_no_file_is_tools_as_they_come(tmp_path: Path) -> None:
    assert configured.read(Settings(data=tmp_path), IDS) == Configuration()


def test_the_file_in_the_data_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "tools.toml").write_text(GOOD)
    configuration = configured.read(Settings(data=tmp_path), IDS)
    assert configuration.tools["calculator"].calls_per_minute == 5
    assert configuration.mcp["github"].command == "x"


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, tools_file=tmp_path / "absent.toml")
    with pytest.raises(ConfigurationError, match=r"absent\.toml.*KARI_TOOLS_FILE"):
        configured.read(settings, IDS)


@pytest.mark.parametrize(
    ("change", "field", "way_out"),
    [
        (("[fetch]", "[fetsch]"), "the file", "unknown field `fetsch`"),
        (("calls_per_minute", "calls_per_second"), 'tools."calculator"', "unknown field"),
        (("= 5", "= -1"), 'tools."calculator".calls_per_minute', "docs/tools.md"),
        (("enabled = false", "timeout = 0"), 'tools."web.fetch".timeout', "> 0"),
        (("enabled = false", "timeout = 601"), 'tools."web.fetch".timeout', "600"),
        (('"always"', '"sometimes"'), "approval", "Invalid enum value"),
        (("tools.calculator", "tools.calculater"), 'tools."calculater"', "known are time"),
        (('tools."web.fetch"', "tools.web.fetch"), "tools.web", 'in quotes: `[tools."web.fetch"]`'),
        (("github.create", "gitlab.create"), 'tools."gitlab.create_issue"', "MCP servers"),
        (('".example.org"', '"http://example.org"'), "fetch.hosts", "docs/tools.md"),
        (("http://127", "127"), "search.url", "docs/tools.md"),
        (("[tools.calculator]", "[[tools]]"), "tools", "write a table"),
    ],
)
def test_a_mistake_is_told_with_its_file_its_field_and_the_way_out(
    change: tuple[str, str], field: str, way_out: str
) -> None:
    assert change[0] in GOOD
    with pytest.raises(ConfigurationError) as caught:
        decode(GOOD.replace(*change), "tools.toml", IDS)
    message = str(caught.value)
    assert message.startswith("tools.toml: ")
    assert field in message
    assert way_out in message


def test_tools_is_a_table_of_tables() -> None:
    with pytest.raises(ConfigurationError, match="write a table"):
        decode("tools = 3", "tools.toml", IDS)
    with pytest.raises(ConfigurationError, match=r'tools\."time"'):
        decode("[tools]\ntime = 3", "tools.toml", IDS)


def test_what_the_file_says_of_a_tool_holds() -> None:
    """And nothing else of it changes."""
    text = '[tools.calculator]\nroles = ["x"]\ntimeout = 1.5\napproval = "always"\n'
    adjusted = configured.adjusting(decode(text, "tools.toml", IDS))(CALCULATOR)
    assert adjusted.tool.roles == {"x"}
    assert adjusted.tool.timeout == 1.5
    assert adjusted.tool.approval == ApprovalPolicy.APPROVAL_POLICY_ALWAYS
    assert adjusted.tool.parameters == CALCULATOR.tool.parameters
    assert not adjusted.unavailable


def test_a_tool_that_is_switched_off_says_where() -> None:
    text = "[tools.calculator]\nenabled = false\n"
    adjusted = configured.adjusting(decode(text, "tools.toml", IDS))(CALCULATOR)
    assert adjusted.disabled
    assert '[tools."calculator"]' in adjusted.unavailable


async def test_the_ids_of_the_file_are_those_of_the_tools() -> None:
    built_in = BuiltIn(Configuration(), Peers(NOBODY, NOBODY, NOBODY, NOBODY))
    assert tuple(offer.tool.id for offer in await built_in.offers()) == IDS


def test_a_key_that_is_not_set_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_SEARCH_KEY", raising=False)
    configuration = Configuration(search=SearchEntry(url="http://x", key_env="TEST_SEARCH_KEY"))
    with pytest.raises(ConfigurationError, match="TEST_SEARCH_KEY is not set; set it"):
        BuiltIn(configuration, Peers(NOBODY, NOBODY, NOBODY, NOBODY))


def test_the_file_of_the_documentation_is_right() -> None:
    """As it stands in docs/tools.md."""
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/tools.md").read_text(), re.DOTALL)
    assert decode(example, "tools.toml", IDS).fetch.hosts
