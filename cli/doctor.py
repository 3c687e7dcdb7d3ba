"""`kari doctor`: what is configured, what answers, what is degraded, and how to mend it."""

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from cli.jobs import lasting, named
from cli.mesh import NotRunning, connected
from kari.production_memory.v1.jobs_pb2 import CountJobsRequest, JobCount
from servers import topology
from servers.runtime.errors import from_rpc
from servers.runtime.keys import key_files
from servers.runtime.settings import (
    Misconfigured,
    Placement,
    Settings,
    read_settings,
    unknown_variables,
)
from servers.tool_integration.built_in.ids import IDS as TOOL_IDS
from servers.tool_integration.configured import read

LEAST_FREE_BYTES = 512 * 1024 * 1024
CHECK_SECONDS = 3.0
MAKE_ROOM = "free some space, or remove files with `kari files remove`"
OLD_SECONDS = 600.0
"""What a job waits for longer is no load, but something in its way."""


class State(StrEnum):
    """How a thing is."""

    OK = "ok"
    DEGRADED = "degraded"
    BROKEN = "broken"
    OFF = "not running"


STYLES = {State.OK: "green", State.DEGRADED: "yellow", State.BROKEN: "red", State.OFF: "dim"}


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    what: str
    state: State
    note: str
    way_out: str = ""


STORES = {
    "postgres": ("no new turns", "KARI_POSTGRES_URL"),
    "redis": ("no session buffer, no resume, limits by process", "KARI_REDIS_URL"),
    "milvus": ("no semantic recall", "KARI_MILVUS_URL"),
}


def run() -> int:
    """Prints the report; exit code 1 if something is broken."""
    settings = read_settings()
    findings = asyncio.run(_examine(settings))
    _print(findings)
    return 1 if any(f.state is State.BROKEN for f in findings) else 0


async def _examine(settings: Settings) -> list[Finding]:
    tools, servers = _tools(settings)
    findings = [*_machine(settings), *_configured(settings), tools]
    findings += [finding async for finding in _running(settings, servers)]
    findings += await _waiting(settings)
    return findings


def _machine(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", State.OK, version)
    folder = settings.data
    if not folder.exists():
        yield Finding("data folder", State.OFF, f"{folder} is not there", "`kari up` makes it")
        return
    free = shutil.disk_usage(folder).free
    note = f"{folder.absolute()}, {free // 2**20} MiB free"
    if free > LEAST_FREE_BYTES:
        yield Finding("data folder", State.OK, note)
    elif (folder / "version").exists():
        yield Finding("data folder", State.DEGRADED, note, MAKE_ROOM)
    else:
        yield Finding("data folder", State.BROKEN, note, "free some space")


def _configured(settings: Settings) -> Iterator[Finding]:
    for store in STORES:
        url: SecretStr | None = getattr(settings, f"{store}_url")
        note = "embedded" if url is None else f"at {_without_secret(url)}"
        yield Finding(f"{store} is", State.OK, note)
    for name in unknown_variables():
        yield Finding(name, State.DEGRADED, "is no setting", "docs/settings.md lists them")
    file = settings.models_file or settings.data / "models.toml"
    if file.exists():
        yield Finding("models", State.OK, f"configured in {file}")
    elif settings.models_file is not None:
        yield Finding("models", State.BROKEN, f"{file} is not there", "mend KARI_MODELS_FILE")
    else:
        yield Finding("models", State.OK, "the local one only; docs/models.md adds others")


def _tools(settings: Settings) -> tuple[Finding, Sequence[str]]:
    """What there is to say of the tools file, and the MCP servers that it names."""
    file = settings.tools_file or settings.data / "tools.toml"
    if settings.tools_file is None and not file.exists():
        return Finding("tools", State.OK, "as they come; docs/tools.md configures them"), ()
    try:
        configuration = read(settings, TOOL_IDS)
    except Misconfigured as wrong:
        way_out = "mend it: Kari does not start with it; docs/tools.md"
        return Finding("tools", State.BROKEN, str(wrong), way_out), ()
    servers = [name for name, entry in configuration.mcp.items() if entry.enabled]
    return Finding("tools", State.OK, f"configured in {file}"), servers


async def _running(settings: Settings, mcp_servers: Sequence[str]) -> AsyncIterator[Finding]:
    spread = settings.placement is Placement.SPREAD
    stores_at: dict[str, set[str]] = {}
    for node in topology.SERVERS:
        port = topology.port_of(node.name, settings.grpc_port, spread=spread)
        address = f"{settings.grpc_host}:{port}"
        stores_at.setdefault(address, set()).update(node.stores)
        async with grpc.aio.insecure_channel(address) as channel:
            found = await _server(channel, node.name, address)
            yield found
            if node.name == "code_execution" and (finding := await _code(channel)):
                yield finding
            if node.name == "file_attachment" and (finding := await objects(channel)):
                yield finding
            if node.name == "tool_integration" and found.state is not State.OFF:
                for name in mcp_servers:
                    yield await _mcp(channel, name)
    seen: set[str] = set()
    for address, stores in stores_at.items():
        async with grpc.aio.insecure_channel(address) as channel:
            for store in sorted(stores - seen):
                finding = await _store(channel, store)
                if finding is not None:
                    seen.add(store)
                    yield finding


async def _server(channel: grpc.aio.Channel, name: str, address: str) -> Finding:
    status = await _health(channel, topology.service_of(name))
    if status is None:
        return Finding(name, State.OFF, f"nothing answers on {address}", "`kari up` starts it")
    if status == health_pb2.HealthCheckResponse.SERVING:
        return Finding(name, State.OK, f"serving on {address}")
    return Finding(name, State.BROKEN, "not serving", "see the stores below, or the logs")


async def _code(channel: grpc.aio.Channel) -> Finding | None:
    """Whether the jails of running code hold; nothing if it is off, or nobody answers."""
    status = await _health(channel, "store.code_execution")
    if status is None:
        return None
    if status == health_pb2.HealthCheckResponse.SERVING:
        return Finding("running code", State.OK, "its jails hold")
    note = "a runner is not used: its jail does not hold, or cannot be made"
    return Finding("running code", State.DEGRADED, note, "the log says why; docs/code.md")


async def objects(channel: grpc.aio.Channel) -> Finding | None:
    """Whether files can be taken in; nothing if nobody answers."""
    if await _health(channel, "store.objects.room") == health_pb2.HealthCheckResponse.NOT_SERVING:
        note = "no uploads: the disk is nearly full (KARI_OBJECTS_RESERVE_BYTES)"
        return Finding("files", State.DEGRADED, note, MAKE_ROOM)
    status = await _health(channel, "store.objects")
    if status is None:
        return None
    if status == health_pb2.HealthCheckResponse.SERVING:
        return Finding("files", State.OK, "their store answers, and has room")
    note = "no uploads and downloads: their store does not answer"
    return Finding("files", State.DEGRADED, note, "the log says why; or mend KARI_OBJECTS_URL")


async def _mcp(channel: grpc.aio.Channel, name: str) -> Finding:
    """Whether an MCP server of the tools file can be called."""
    what = f"MCP server {name}"
    status = await _health(channel, f"store.mcp.{name}")
    if status is None:
        note = "tool_integration does not know it"
        return Finding(what, State.OFF, note, "the tools file is read at the start: start anew")
    if status == health_pb2.HealthCheckResponse.SERVING:
        return Finding(what, State.OK, "connected")
    note = "its tools cannot be called; it is started anew by itself"
    return Finding(what, State.DEGRADED, note, "`kari tools` and the log say why; docs/mcp.md")


async def _store(channel: grpc.aio.Channel, store: str) -> Finding | None:
    status = await _health(channel, f"store.{store}")
    if status is None:
        return None
    if status == health_pb2.HealthCheckResponse.SERVING:
        return Finding(store, State.OK, "answers")
    loss, setting = STORES[store]
    state = State.BROKEN if store == "postgres" else State.DEGRADED
    return Finding(store, state, loss, f"start it again, or mend {setting}")


async def _waiting(settings: Settings) -> list[Finding]:
    """What there is to say of jobs; nothing if nobody can be asked, which is said already."""
    if not key_files(settings).mesh.exists():
        return []
    try:
        async with connected(settings) as mesh:
            response = await mesh.memory.CountJobs(CountJobsRequest(), timeout=CHECK_SECONDS)
    except NotRunning:
        return []
    except grpc.aio.AioRpcError as error:
        return [Finding("jobs", State.DEGRADED, from_rpc(error).message, "see postgres above")]
    return [*_backlog(response.counts, time.time()), *_set_aside(response.counts)]


def _backlog(counts: Iterable[JobCount], now: float) -> Iterator[Finding]:
    """What waits, all kinds together."""
    waiting = [each for each in counts if each.waiting or each.running]
    if not waiting:
        yield Finding("jobs", State.OK, "none waits")
        return
    kinds = ", ".join(f"{each.waiting + each.running} {named(each.kind)}" for each in waiting)
    oldest = now - min(each.oldest_at.ToNanoseconds() / 1e9 for each in waiting)
    note = f"{kinds} waiting or under way, the oldest for {lasting(oldest)}"
    if oldest < OLD_SECONDS:
        yield Finding("jobs", State.OK, note)
    else:
        way_out = "see milvus and model_factory above, and `jobs wait` in the logs"
        yield Finding("jobs", State.DEGRADED, note, way_out)


def _set_aside(counts: Iterable[JobCount]) -> Iterator[Finding]:
    for each in counts:
        if each.failed:
            note = f"{each.failed} set aside, not done"
            way_out = "`kari jobs` says why, `kari jobs retry` tries again"
            yield Finding(f"{each.kind} jobs", State.DEGRADED, note, way_out)


async def _health(channel: grpc.aio.Channel, service: str) -> int | None:
    """Status of a service; None if nothing answers or it is not known there."""
    stub: Any = health_pb2_grpc.HealthStub(channel)  # its stubs know the synchronous one only
    try:
        request = health_pb2.HealthCheckRequest(service=service)
        return int((await stub.Check(request, timeout=CHECK_SECONDS)).status)
    except grpc.aio.AioRpcError:
        return None


def _without_secret(url: SecretStr) -> str:
    return url.get_secret_value().rpartition("@")[2]


def _print(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("what", "state", "", "way out"):
        table.add_column(column)
    for f in findings:
        table.add_row(f.what, f"[{STYLES[f.state]}]{f.state}[/]", f.note, f.way_out)
    Console().print(table)
