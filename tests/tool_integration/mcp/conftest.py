"""Tool integration with MCP servers: one as a command, one behind HTTP."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from servers.runtime.settings import Settings
from tests.hosting import hosting, settings_for, until
from tests.running import ROOT, free_block
from tests.tool_integration.bench import Bench

PROVIDED = ("-m", "tests.tool_integration.mcp.provided")
ROUGH = ("-m", "tests.tool_integration.mcp.rough")


def command(name: str, *args: str, more: str = "") -> str:
    """The table of a server that is a command of this Python."""
    listed = ", ".join(f'"{arg}"' for arg in args)
    return (
        f'[mcp.{name}]\ncommand = "{sys.executable}"\nargs = [{listed}]\n'
        f'folder = "{ROOT}"\n{more}\n'
    )


def with_tools(settings: Settings, text: str) -> Settings:
    """Settings with a tools file that says this."""
    file = settings.data.parent / f"{settings.data.name}.tools.toml"
    file.write_text(text)
    return settings.model_copy(update={"tools_file": file})


@asynccontextmanager
async def benched(settings: Settings, text: str, *tools: str) -> AsyncIterator[Bench]:
    """A bench of a mesh whose tools file says this, once these tools are there."""
    async with hosting(with_tools(settings, text), "tool_integration", "audit") as wiring:
        bench = Bench(wiring)
        await listed(bench, *tools)
        yield bench


async def listed(bench: Bench, *tools: str, available: bool = True) -> None:
    """Returns when these tools are listed, and available or not."""

    async def there() -> bool:
        found = await bench.tools()
        return all(t in found and found[t].available == available for t in tools)

    await until(there, 60.0)


@asynccontextmanager
async def served(port: int) -> AsyncIterator[None]:
    """The server behind HTTP on this port, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *PROVIDED, str(port)), cwd=ROOT, stdin=DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def provided(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Bench]:
    """Both kinds, `local` and `remote`, and one of the protocol's former version, `former`."""
    folder: Path = tmp_path_factory.mktemp("mcp")
    port = free_block(1)
    more = 'handshake = "initialize"\nallow = ["add", "shout", "wait", "ask", "grow", "later"]'
    text = "\n".join(
        (
            command("local", *PROVIDED, more="env_values = { LOG_LEVEL = 'info' }"),
            command("former", *PROVIDED, more=more),
            f'[mcp.remote]\nurl = "http://127.0.0.1:{port}/mcp"',
            '[tools."local.shout"]\ncalls_per_minute = 1\n',
            '[tools."former.shout"]\nroles = ["chat.admin"]\n',
        )
    )
    async with (
        served(port),
        benched(settings_for(stores, folder / "data"), text, *NAMES) as bench,
    ):
        yield bench


NAMES = ("local.add", "former.add", "remote.add")
