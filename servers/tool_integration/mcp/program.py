"""What to run for an MCP server that is a command, and with which environment."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from servers.runtime.guardian import guarded
from servers.runtime.settings import Misconfigured, environment_of, secret_from_environment
from servers.tool_integration.mcp.configuration import McpServerEntry

ALWAYS = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
"""Variables without which few programs work; none holds a secret."""


@dataclass(frozen=True)
class Program:
    """A command line, its whole environment and the folder it runs in."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    folder: str | None = None

    def found(self) -> bool:
        """Whether there is such a program."""
        return shutil.which(self.argv[0], path=self.env.get("PATH")) is not None

    def guarded(self) -> tuple[str, ...]:
        """The command line by which it dies with us."""
        return guarded(self.argv)


def program_of(name: str, entry: McpServerEntry) -> Program:
    """The program of an entry. Misconfigured if a variable or a file that it names is not there."""
    secrets = {v: _variable(f"mcp.{name}.env", v) for v in entry.env}
    files = {v: _file(f"mcp.{name}.env_files.{v}", f) for v, f in entry.env_files.items()}
    env = {**environment_of(ALWAYS), **entry.env_values, **secrets, **files}
    return Program((str(entry.command), *entry.args), env, entry.folder)


def headers_of(name: str, entry: McpServerEntry) -> dict[str, str]:
    """The headers of an entry. Misconfigured if a variable or a file that it names is not there."""
    where = f"mcp.{name}.headers"
    secrets = {h: _variable(f"{where}_env.{h}", v) for h, v in entry.headers_env.items()}
    files = {h: _file(f"{where}_files.{h}", f) for h, f in entry.headers_files.items()}
    return {**entry.headers, **secrets, **files}


def _variable(where: str, variable: str) -> str:
    value = secret_from_environment(variable)
    if value is None:
        raise Misconfigured(f"{where}: the variable {variable} is not set; set it, or remove it")
    return value


def _file(where: str, file: str) -> str:
    path = Path(file).expanduser()
    try:
        value = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{where}: {path} cannot be read ({type(error).__name__}); "
            "write the value into it, readable for the user Kari runs as"
        ) from error
    if not value or not value.isprintable():
        raise Misconfigured(f"{where}: {path} holds no value on one line")
    return value
