"""MCP both ways, in a running Kari: its servers' tools in a turn, and `kari mcp` for a client."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from kari.errors.v1.errors_pb2 import Reason
from tests.flow.conftest import OBEDIENT, Mesh
from tests.flow.test_tools import outside, results
from tests.hosting import until
from tests.running import ROOT, free_block
from tests.socket_client import opened

KILOMETRES = {"value": 3, "unit": "km", "to": "m"}
YES = {"action": "accept", "content": {"allow": True}}
NO = (
    {"action": "accept", "content": {"allow": False}},
    {"action": "accept"},
    {"action": "decline"},
    {"action": "cancel"},
)


def era_of(mesh: Mesh) -> str:
    """The protocol's newest version, and in the other placement the one before."""
    return "legacy" if mesh.kari.spread else "auto"


async def test_a_model_has_a_tool_of_an_mcp_server_called(mesh: Mesh) -> None:
    """A process of its own, in a turn."""
    async with opened(mesh.kari, await mesh.token()) as client:
        _, events = await client.turn("!rough.plain {}", model=OBEDIENT)
    (result,) = results(events)
    assert (result.tool_id, result.success) == ("rough.plain", True)
    assert json.loads(result.result_json) == "done"
    message = events[-1].completed.message
    assert "done" in message.content
    assert message.tools_called[0].tool_id == "rough.plain"


async def test_a_server_that_dies_in_a_turn_fails_the_call_and_comes_back(mesh: Mesh) -> None:
    """The turn goes on; the next one finds it well."""
    token = await mesh.token()
    async with opened(mesh.kari, token) as client:
        _, events = await client.turn("!rough.die {}", model=OBEDIENT)
    (result,) = results(events)
    assert result.error.reason == Reason.REASON_TOOL_UNAVAILABLE
    assert "ended (exit status 3)" in result.error.message
    assert events[-1].HasField("completed")

    async def back() -> bool:
        return (await outside(mesh, token, "rough.plain")).success

    await until(back)


def command(mesh: Mesh, *words: str) -> StdioServerParameters:
    """How a client starts `kari mcp`."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "cli.main", "mcp", *words],
        env=mesh.kari.environment(),
        cwd=ROOT,
    )


class User:
    """Somebody at a client, who answers what comes next, and remembers what was asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, _context: Any, asked: types.ElicitRequestParams) -> types.ElicitResult:
        """The next answer."""
        self.asked.append(asked.message)
        return types.ElicitResult.model_validate(self._answers.pop(0))


def text_of(result: types.CallToolResult) -> str:
    """The text of a result."""
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    return block.text


async def test_a_client_lists_and_calls_tools(mesh: Mesh) -> None:
    """With schemas and hints; results as structure and text; errors with the way out. A tool that
    asks first is refused where nobody can be asked."""
    async with Client(command(mesh), mode=era_of(mesh)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert "expression" in tools["calculator"].input_schema["properties"]
        hints = tools["calculator"].annotations
        assert hints is not None
        assert (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint) == (
            True,
            False,
            True,
        )
        assert "conversation.search" in tools
        assert not [name for name in tools if name.startswith("rough.")]
        done = await client.call_tool("calculator", {"expression": "6*7"})
        assert done.structured_content is not None
        assert done.structured_content["result"] == "42"
        assert json.loads(text_of(done)) == done.structured_content
        wrong = await client.call_tool("calculator", {"expresion": "6*7"})
        assert wrong.is_error
        assert "expression: is missing" in text_of(wrong)
        unknown = await client.call_tool("nothing", {})
        assert unknown.is_error
        assert "nothing" in text_of(unknown)
        unasked = await client.call_tool("units", KILOMETRES)
        assert unasked.is_error
        assert "kari mcp --approve" in text_of(unasked)


async def test_the_clients_user_is_asked_before_a_tool_that_asks(mesh: Mesh) -> None:
    """The question shows what is to run; only a clear yes runs it."""
    user = User(YES, *NO)
    async with Client(command(mesh), mode=era_of(mesh), elicitation_callback=user) as client:
        allowed = await client.call_tool("units", KILOMETRES)
        refused = [await client.call_tool("units", KILOMETRES) for _ in NO]
    assert allowed.structured_content is not None
    assert allowed.structured_content["value"] == 3000
    assert "units" in user.asked[0]
    assert '"km"' in user.asked[0]
    for each in refused:
        assert each.is_error
        assert "did not allow this call" in text_of(each)


async def test_a_client_has_the_roles_of_its_user_whatever_is_approved(mesh: Mesh) -> None:
    """What the user may not call is not there. With `--approve` nobody is asked."""
    async with Client(command(mesh, "--user", "plain", "--approve")) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        refused = await client.call_tool("memory.search", {"query": "me"})
        done = await client.call_tool("units", KILOMETRES)
    assert "calculator" in names
    assert "memory.search" not in names
    assert (refused.is_error, done.is_error) == (True, False)


async def test_a_user_who_is_not_there_is_said_not_to_be(mesh: Mesh) -> None:
    """On standard error; standard output is the client's."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "mcp", "--user", "nobody"),
        cwd=ROOT,
        env=mesh.kari.environment(),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await process.communicate()
    assert (process.returncode, output, errors) == (1, b"", b"no such user\n")


@asynccontextmanager
async def over_http(mesh: Mesh) -> AsyncIterator[str]:
    """The address of a `kari mcp --http`."""
    port = free_block(1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "mcp", "--http", str(port)),
        cwd=ROOT,
        env=mesh.kari.environment(),
        stdin=DEVNULL,
        stderr=PIPE,
    )
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    assert "Authorization: Bearer" in line
    url = f"http://127.0.0.1:{port}/mcp"
    try:
        await until(lambda: answers(url))
        yield url
    finally:
        process.terminate()
        await process.communicate()


async def answers(url: str) -> bool:
    """Whether somebody listens there."""
    async with httpx2.AsyncClient() as client:
        try:
            await client.get(url)
        except httpx2.ConnectError:
            return False
    return True


async def test_over_http_a_client_needs_the_token(mesh: Mesh) -> None:
    """That of the data folder, which only its owner can read. Pages of other sites get nothing."""
    async with over_http(mesh) as url:
        file = mesh.kari.data / "mcp-token"
        token = {"authorization": f"Bearer {file.read_text().strip()}"}
        assert file.stat().st_mode & 0o777 == 0o600
        async with httpx2.AsyncClient() as client:
            for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer ü"}):
                raw = {key.encode(): value.encode() for key, value in headers.items()}
                assert (await client.post(url, headers=raw)).status_code == 401
            foreign = {**token, "origin": "https://evil.example.org"}
            assert (await client.post(url, headers=foreign, json={})).status_code == 403
        async with httpx2.AsyncClient(headers=token) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, elicitation_callback=User(YES)) as client:
                done = await client.call_tool("calculator", {"expression": "6*7"})
                allowed = await client.call_tool("units", KILOMETRES)
    assert done.structured_content is not None
    assert done.structured_content["result"] == "42"
    assert not allowed.is_error
