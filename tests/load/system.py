"""What is under load: the provider and Kari, each in processes of their own, started and stopped
here, and the clients' process."""

import asyncio
import secrets
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from servers import topology
from servers.identity.access import Signer
from servers.identity.accounts import Account
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.keys import identity_key, key_files
from servers.runtime.settings import Settings
from tests.load.clients import Plan
from tests.running import ROOT, Kari, free_block
from tests.socket_client import login
from tests.upstream.fast import MODEL

UNLIMITED = 1_000_000
LINE_BYTES = 1 << 24
TOKEN_SECONDS = 7200
MODELS = """[routing]
default = "load/{model}"
fallback = ["load/{model}"]

[providers.load]
kind = "openai"
base_url = "{url}"

[[providers.load.models]]
id = "{model}"
context_window = 16384
"""
TOOLS = """[tools.calculator]
calls_per_minute = 0
calls_per_hour = 0
"""


@asynccontextmanager
async def program(*words: str) -> AsyncIterator[Process]:
    """A Python module in a process of its own, killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *words), cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=LINE_BYTES
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@dataclass
class Provider:
    """The running provider."""

    process: Process
    url: str

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["Provider"]:
        """One on a free port."""
        async with program("tests.upstream.fast") as process:
            assert process.stdout is not None
            line = (await process.stdout.readline()).decode().split()
            yield cls(process, line[1])


@asynccontextmanager
async def kari_running(
    provider: Provider, *, spread: bool = False, workers: int = 1, **settings: str
) -> AsyncIterator[Kari]:
    """A Kari as users run it, in a folder that goes away; its limits for users and tenants are
    raised, everything else is as always."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models.toml"
        models.write_text(MODELS.format(url=provider.url, model=MODEL))
        tools = Path(folder) / "tools.toml"
        tools.write_text(TOOLS)
        kari = Kari.at(
            Path(folder) / "data",
            spread=spread,
            KARI_MODELS_FILE=str(models),
            KARI_TOOLS_FILE=str(tools),
            KARI_MESSAGES_PER_MINUTE=str(UNLIMITED),
            KARI_TENANT_MESSAGES_PER_MINUTE=str(UNLIMITED),
            KARI_METRICS_PORT=str(free_block(max(len(topology.SERVERS), workers))),
            KARI_WORKERS=str(workers),
            **settings,
        )
        await kari.start()
        try:
            yield kari
        finally:
            await kari.stop()


async def tokens_of(kari: Kari, users: int) -> list[str]:
    """Access tokens of so many users of the demo's tenant, signed with identity's key: signing them
    in by password would take as long as the measurement."""
    files = key_files(Settings(data=kari.data))
    demo = AccessTokens(files.jwks).verify(await login(kari))
    signer, now = Signer(identity_key(files.identity), TOKEN_SECONDS), datetime.now(UTC)
    return [
        signer.sign(_account(demo.tenant_id, number), f"sess_{secrets.token_hex(16)}", now)[0]
        for number in range(users)
    ]


def _account(tenant_id: str, number: int) -> Account:
    now = datetime.now(UTC)
    name = f"load-{number}"
    return Account(f"user_{secrets.token_hex(16)}", tenant_id, name, ("chat.user",), now, "")


Heard = Callable[[str, int], Awaitable[None]]


async def unheard(_word: str, _clients: int) -> None:
    """For a load during which nothing else is read."""


async def loaded(plan: Plan, heard: Heard) -> dict[str, Any]:
    """Carries a plan out in a clients' process and gives its figures. `heard` is called with
    `open`, `began` and `ended` as they happen, and the id of the process."""
    async with program("tests.load.clients") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(plan) + b"\n")
        await process.stdin.drain()
        async for line in process.stdout:
            word = line.decode().strip()
            if word.startswith("{"):
                figures: dict[str, Any] = msgspec.json.decode(line)
                return figures
            await heard(word, process.pid)
            if word == "open":
                process.stdin.write(b"go\n")
    raise RuntimeError("the clients' process ended without figures; what it said is above")
