"""MCP servers that die, hang, flood and lie: their tools say so, and nothing else suffers."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from gateway.readiness import Readiness
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime import bootstrap
from servers.runtime.call import Principal
from servers.runtime.errors import KariError, Unavailable
from servers.runtime.ids import new_id
from servers.runtime.settings import Misconfigured, Settings
from servers.tool_integration.mcp import servers as servers_of_mcp
from servers.tool_integration.mcp.attached import mcp_servers
from servers.tool_integration.mcp.configuration import McpServerEntry
from servers.tool_integration.mcp.flood import Flood, Length
from servers.tool_integration.mcp.servers import McpServers
from servers.tool_integration.schema import checked
from servers.tool_integration.tool import Invocation, Offer
from tests.hosting import hosting, until
from tests.running import ROOT, free_block
from tests.tool_integration.bench import Bench
from tests.tool_integration.mcp.conftest import (
    ROUGH,
    benched,
    command,
    listed,
    served,
    with_tools,
)
from tests.tool_integration.mcp.rough_http import rough_http

SOMEBODY = Principal("user_1", "tenant_1", frozenset({"chat.user"}))


def rough(behaviour: str, **more: Any) -> McpServerEntry:
    """A server that behaves so."""
    return McpServerEntry(
        command=sys.executable, args=(*ROUGH, behaviour), folder=str(ROOT), **more
    )


@asynccontextmanager
async def running(entry: McpServerEntry, seconds: float = 0.05) -> AsyncIterator[McpServers]:
    """A source with one server, `s`; it is started anew after so many seconds."""
    servers = McpServers({"s": entry}, uniform=lambda _low, _high: seconds)
    task = asyncio.create_task(servers.run())
    try:
        yield servers
    finally:
        task.cancel()
        await asyncio.wait({task})
        await servers.close()


async def offer_of(servers: McpServers, name: str = "s.plain") -> Offer:
    """One of its tools, once it is there."""

    async def there() -> Offer | None:
        return next((o for o in await servers.offers() if o.tool.id == name), None)

    found = await until(there)
    assert found is not None
    return found


async def complaint(servers: McpServers, seconds: float = 20.0) -> str:
    """Why its tool cannot be called, as a caller is told."""
    offer = await offer_of(servers)
    with pytest.raises(KariError) as refused:
        async with asyncio.timeout(seconds):
            await offer.handler({}, Invocation("call_1", offer.tool.id, SOMEBODY))
    return refused.value.message


async def why(servers: McpServers) -> str:
    """Why it cannot be called; empty if it can."""
    try:
        await servers.ping("s")
    except Unavailable as away:
        return away.message
    return ""


async def away(servers: McpServers, words: str) -> None:
    """Returns when its tool is listed as unavailable with these words."""

    async def said() -> bool:
        return any(words in offer.unavailable for offer in await servers.offers())

    await until(said)


async def test_a_server_that_dies_is_started_anew(settings: Settings) -> None:
    """Calls fail until it is back, and say why; others do not notice."""
    free = 'approval = "never"'
    text = command("mortal", *ROUGH, "mortal", more=free)
    text += command("other", *ROUGH, "plain", more=free)
    async with benched(settings, text, "mortal.plain", "other.plain") as bench:
        result = await bench.call("mortal.die")
        assert result.error.reason == Reason.REASON_TOOL_UNAVAILABLE
        assert "`mortal` ended (exit status 3)" in result.error.message
        assert await bench.value("other.plain") == "done"
        await until(lambda: well(bench))
        await listed(bench, "mortal.plain")
        assert await bench.value("mortal.plain") == "done"


async def test_a_server_that_is_not_there_leaves_the_rest_well(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Health names it; the server of tools serves, and operators are told what is missing."""
    monkeypatch.setattr(bootstrap, "HEALTH_SECONDS", 0.1)
    text = command("other", *ROUGH, "plain") + '[mcp.gone]\ncommand = "no-such-program"\n'
    async with benched(settings, text, "other.plain") as bench:
        wiring = bench.wiring
        async with grpc.aio.insecure_channel(wiring.address_of("tool_integration")) as channel:
            health = health_pb2_grpc.HealthStub(channel)

            async def told(name: str) -> int:
                return int((await health.Check(HealthCheckRequest(service=name))).status)

            async def known() -> bool:
                return await told("store.mcp.other") == HealthCheckResponse.SERVING

            await until(known)
            assert await told("store.mcp.gone") == HealthCheckResponse.NOT_SERVING
            assert await told("store.mcp") == HealthCheckResponse.NOT_SERVING
            assert await told("") == HealthCheckResponse.SERVING
            readiness = Readiness({"tool_integration": channel})
            assert await readiness.check() == []
        (missing,) = readiness.others
        assert (missing.feature, missing.cause) == (Feature.FEATURE_TOOLS, "mcp")
        assert readiness.degradations == []


async def test_a_call_waits_for_a_server_that_is_being_started(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that its user allowed before Kari was started anew. Of one that does not come up
    nobody says that it has no such tool."""
    monkeypatch.setattr(servers_of_mcp, "FIRST_SECONDS", 60.0)
    text = command("s", *ROUGH, "plain") + '[mcp.gone]\ncommand = "no-such-program"\n'
    async with hosting(with_tools(settings, text), "tool_integration", "audit") as wiring:
        bench = Bench(wiring)
        result = await bench.call("s.plain", turn_id=new_id("turn"), approved=True)
        assert result.success
        gone = await bench.call("gone.plain", turn_id=new_id("turn"), approved=True)
        none = await bench.call("s.none")
    assert gone.error.reason == Reason.REASON_TOOL_UNAVAILABLE
    assert gone.error.retryable
    assert "see `command` and `folder` (no-such-program)" in gone.error.message
    assert none.error.reason == Reason.REASON_TOOL_NOT_FOUND


async def well(bench: Bench) -> bool:
    """Whether the mortal one can be called."""
    return (await bench.call("mortal.plain")).success


async def test_tools_of_a_server_that_is_away_stay_listed() -> None:
    """As unavailable, with the reason."""
    async with running(rough("mortal"), seconds=3600.0) as servers:
        die = await offer_of(servers, "s.die")
        with pytest.raises(KariError):
            await die.handler({}, Invocation("call_1", "s.die", SOMEBODY))
        await away(servers, "the MCP server `s` ended (exit status 3); it is started anew")
        ids = [offer.tool.id for offer in await servers.offers()]
        assert ids == ["s.plain", "s.die", "s.inject"]
        assert "ended (exit status 3)" in await complaint(servers)


async def test_a_server_that_is_killed_leaves_nothing_behind(settings: Settings) -> None:
    """Neither when it is killed, nor when Kari stops."""
    async with benched(settings, command("p", *ROUGH, "family"), "p.plain") as bench:
        first = await family(bench)
        os.kill(first[0], signal.SIGKILL)
        await until(lambda: gone(first))
        second = await until(lambda: family(bench))
        assert not set(first) & set(second)
    assert await gone(second)


async def family(bench: Bench) -> list[int]:
    """The ids of the server's process and of a child that it forgot; none while it is away."""
    result = await bench.call("p.plain", {}, approved=True)
    if not result.success:
        return []
    return [int(word) for word in json.loads(result.result_json).split()]


async def gone(pids: list[int]) -> bool:
    """Whether none of these processes is left."""
    return not any(map(alive, pids))


def alive(pid: int) -> bool:
    """Whether it runs: one that nobody has waited for yet does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_a_server_behind_http_may_go_and_come_back(settings: Settings) -> None:
    """On another day, at the same address."""
    port = free_block(1)
    text = f'[mcp.r]\nurl = "http://127.0.0.1:{port}/mcp"'
    async with hosting(with_tools(settings, text), "tool_integration", "audit") as wiring:
        bench = Bench(wiring)
        async with served(port):
            await listed(bench, "r.add")
            assert await bench.value("r.add", a=1, b=2) == {"total": 3}
        result = await bench.call("r.add", {"a": 1, "b": 2})
        assert result.error.reason == Reason.REASON_TOOL_UNAVAILABLE
        await listed(bench, "r.add", available=False)
        async with served(port):
            await listed(bench, "r.add")
            assert await bench.value("r.add", a=1, b=2) == {"total": 3}


async def test_a_tool_that_never_answers_is_given_up(settings: Settings) -> None:
    """After the time that its entry says; the server goes on."""
    text = command("s", *ROUGH, "silent_tools", more='timeout = 0.3\napproval = "never"')
    async with benched(settings, text, "s.plain") as bench:
        result = await bench.call("s.plain")
        assert result.error.reason == Reason.REASON_TOOL_TIMEOUT
        assert (await bench.tools())["s.plain"].available


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("progress", "sent more than 500 messages a second"),
        ("endless_line", "sent a line of more than 8 MiB"),
        ("other_result", "its answer is no result of a tool"),
    ],
)
async def test_a_server_that_answers_too_much_or_rubbish_fails_the_call(
    behaviour: str, words: str
) -> None:
    async with running(rough(behaviour)) as servers:
        assert words in await complaint(servers)


@pytest.mark.parametrize("behaviour", ["body", "event"])
async def test_an_answer_over_http_that_does_not_end_is_ended(behaviour: str) -> None:
    """And its server with it: the SDK would keep all of it."""
    async with rough_http(behaviour) as url:
        entry = McpServerEntry(url=url, handshake="initialize")
        async with running(entry, seconds=3600.0) as servers:
            assert "sent a message of more than 8 MiB" in await complaint(servers)
            await away(servers, "sent a message of more than 8 MiB; it is started anew")


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_of_events_the_longest_counts_and_of_a_body_all(end: bytes) -> None:
    """Wherever the pieces are cut."""
    events, body, event = Length(events=True), Length(events=False), b"x" * 3_000_000
    body.note(end)
    for cut in range(len(end) + 1):
        events.note(event + end[:cut])
        events.note(end[cut:] + b"y")
    for length in (events, body):
        length.note(event)
        length.note(event)
        with pytest.raises(Flood):
            length.note(event)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("hangs", "does not answer within its time (0.5 s to start)"),
        ("handshake", "is not understood: it answers what is not MCP"),
        ("list", "its list of tools is not MCP at `tools.1.inputSchema.properties`"),
        ("pages", "its list of tools has more than 50 pages"),
        ("complains", "ended (exit status 7)"),
        ("gibbers", "writes what is no message of MCP to its output"),
    ],
)
async def test_a_server_that_does_not_come_up_is_said_to_be_away(
    behaviour: str, words: str
) -> None:
    """With the reason, and tried again and again."""
    seconds = 0.5 if behaviour == "hangs" else 20.0
    async with running(rough(behaviour, start_timeout=seconds)) as servers:

        async def said() -> bool:
            return words in await why(servers)

        await until(said)
        assert await servers.offers() == ()


async def test_a_program_that_is_not_there_is_named() -> None:
    async with running(McpServerEntry(command="no-such-program")) as servers:

        async def said() -> bool:
            return "see `command` and `folder` (no-such-program)" in await why(servers)

        await until(said)


async def test_an_address_where_nobody_listens_is_said_to_be_one() -> None:
    async with running(McpServerEntry(url=f"http://127.0.0.1:{free_block(1)}/mcp")) as servers:

        async def said() -> bool:
            return "cannot be reached at its `url`" in await why(servers)

        await until(said)


@pytest.mark.parametrize("steps", [0, 20, 40, 60])
async def test_it_ends_whenever_it_is_told_to(steps: int) -> None:
    """In the midst of a failure too, of which its libraries make one cancellation out of two."""
    entry = McpServerEntry(url=f"http://127.0.0.1:{free_block(1)}/mcp")
    servers = McpServers({"s": entry}, uniform=lambda _low, _high: 0.0)
    task = asyncio.create_task(servers.run())
    for _ in range(100 + steps):
        await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait({task})
    assert task.cancelled()


async def test_a_banner_does_no_harm() -> None:
    async with running(rough("chatty")) as servers:
        offer = await offer_of(servers)
        assert await offer.handler({}, Invocation("call_1", "s.plain", SOMEBODY)) == "done"


async def test_a_server_that_asks_the_model_something_is_refused() -> None:
    """Sampling is not offered, and answered with an error."""
    async with running(rough("asks")) as servers:
        offer = await offer_of(servers)
        said = await offer.handler({}, Invocation("call_1", "s.plain", SOMEBODY))
        assert json.loads(said)["error"]["message"] == "Sampling not supported"


async def test_broken_schemas_spoil_their_own_tool_alone() -> None:
    async with running(rough("schemas")) as servers:
        await offer_of(servers)
        found = {offer.tool.id: offer.tool for offer in await servers.offers()}
    assert set(found) == {"s.nonsense", "s.elsewhere", "s.slow", "s.plain"}
    assert "is no JSON Schema" in checked(found["s.nonsense"])
    assert "leads nowhere within it" in checked(found["s.elsewhere"])
    assert checked(found["s.plain"]) == ""
    assert "pattern" not in str(found["s.slow"].parameters)


async def test_a_thousand_tools_are_too_many() -> None:
    async with running(rough("thousand")) as servers:
        await offer_of(servers, "s.tool_0")
        assert len(await servers.offers()) == 128


async def test_a_server_that_will_not_leave_is_killed() -> None:
    async with running(rough("stays")) as servers:
        await offer_of(servers)
        children = psutil.Process().children(recursive=True)
    assert not [child for child in children if "stays" in " ".join(cmdline(child))]


def cmdline(process: psutil.Process) -> list[str]:
    """The command line of a process; nothing if it is gone."""
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:
        return []


async def test_the_offers_are_the_same_object_until_something_changes() -> None:
    """So the registry knows that it need not look again."""
    async with running(rough("plain")) as servers:
        await offer_of(servers)
        assert await servers.offers() is await servers.offers()


def test_secrets_that_are_not_there_are_named(tmp_path: Path) -> None:
    """Variable, file and field; at start."""
    with pytest.raises(Misconfigured, match=r"mcp\.s\.env: the variable NOBODY_SET is not set"):
        mcp_servers({"s": McpServerEntry(command="x", env=("NOBODY_SET",))})
    entry = McpServerEntry(url="http://x", headers_files={"Authorization": str(tmp_path / "a")})
    with pytest.raises(Misconfigured, match=r"mcp\.s\.headers_files\.Authorization: .* cannot be"):
        mcp_servers({"s": entry})


async def test_without_servers_there_is_nothing_to_keep_running() -> None:
    """One that is switched off is none."""
    nobody = mcp_servers({"s": McpServerEntry(command="x", enabled=False)})
    assert await nobody.offers() is await nobody.offers()
    await nobody.close()


async def test_a_header_reaches_the_server(tmp_path: Path) -> None:
    """From a file; a refusal is said to be one."""
    secret = tmp_path / "secret"
    secret.write_text("Bearer right\n")
    async with refusing("Bearer right") as port:
        url = f"http://127.0.0.1:{port}/mcp"
        wrong = McpServerEntry(url=url, headers={"X-Team": "kari"})
        async with running(wrong) as servers:

            async def said() -> bool:
                return "refuses us (HTTP status 401); see `headers_env`" in await why(servers)

            await until(said)
        right = McpServerEntry(url=url, headers_files={"Authorization": str(secret)})
        async with running(right):
            await until(lambda: answered(port))


@asynccontextmanager
async def refusing(value: str) -> AsyncIterator[int]:
    """An HTTP server that answers 401 without this header, else 404; gives its port."""
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status = "404 Not Found" if value in head else "401 Unauthorized"
        seen.append(status)
        writer.write(
            f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    SEEN[port] = seen
    async with server:
        yield port


SEEN: dict[int, list[str]] = {}


async def answered(port: int) -> bool:
    """Whether somebody with the right header came."""
    return any(status.startswith("404") for status in SEEN[port])
