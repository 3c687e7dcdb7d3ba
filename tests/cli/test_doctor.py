"""`kari doctor` where nothing runs: what it says of files."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import kari
from servers import topology
from tests.running import free_block

GITHUB = '[mcp.github]\ncommand = "x"\n'


def examined(data: Path, **variables: str) -> tuple[int, str]:
    """The exit code, and the report without its line breaks."""
    port = str(free_block(len(topology.SERVERS)))
    fixed = {"KARI_DATA": str(data), "KARI_GRPC_PORT": port, "COLUMNS": "500"}
    environment = {**fixed, **variables}
    done = CliRunner().invoke(kari, ["doctor"], env=environment)
    return done.exit_code, done.output


def test_without_a_tools_file_tools_are_as_they_come(tmp_path: Path) -> None:
    code, output = examined(tmp_path)
    assert code == 0, output
    assert "as they come" in output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[fetch", "not TOML"),
        ("[fetch]\nhosts = 7", "fetch.hosts"),
        ('[tools."web.fech"]\ntimeout = 1.0', 'tools."web.fech"'),
        (f"{GITHUB}url = 'http://x'", "mcp.github"),
        (f"{GITHUB}env_values = {{ API_KEY = 'x' }}", "mcp.github.env_values.API_KEY"),
    ],
)
def test_a_tools_file_with_a_mistake_is_broken(tmp_path: Path, text: str, said: str) -> None:
    """The file and the field are named."""
    file = tmp_path / "tools.toml"
    file.write_text(text)
    code, output = examined(tmp_path)
    assert code == 1
    assert str(file) in output
    assert said in output


def test_a_tools_file_that_is_not_there_is_broken(tmp_path: Path) -> None:
    """The way out names the variable."""
    code, output = examined(tmp_path, KARI_TOOLS_FILE=str(tmp_path / "none.toml"))
    assert code == 1
    assert "KARI_TOOLS_FILE" in output


def test_a_tools_file_without_mistakes_is_well(tmp_path: Path) -> None:
    """Nothing is said of its servers while nobody could connect to them."""
    (tmp_path / "tools.toml").write_text(GITHUB)
    code, output = examined(tmp_path)
    assert code == 0, output
    assert "configured in" in output
    assert "MCP server" not in output
