"""A running Kari in each placement, and a scripted provider behind it."""

import asyncio
import sys
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from cli.mesh import connected
from kari.identity.v1.identity_pb2 import CreateUserRequest
from kari.identity.v1.identity_pb2_grpc import IdentityServiceStub
from servers import topology
from servers.runtime.keys import KeyFiles, key_files
from servers.runtime.settings import Settings
from tests.running import ROOT, Kari, free_block
from tests.socket_client import login
from tests.upstream.server import Upstream

PROVIDER = "scripted"
ANSWER, UNHURRIED, SLOW = (f"{PROVIDER}/{name}" for name in ("plain", "slow-40", "slow-3000"))
SCRIPTS = (
    "plain",
    "slow-40",
    "slow-3000",
    "status-500",
    "cut",
    "silent",
    "plain-20000",
    "obedient",
    "gullible",
    "fickle-together",
    "fickle-spread",
)
OBEDIENT, READER = f"{PROVIDER}/obedient", f"{PROVIDER}/reader"
"""A model that calls what its user names, and one that calls no tools."""
RETELLING = f"{PROVIDER}/retelling"
"""A model that calls no tools either, and answers with what it is told that they gave."""
GULLIBLE = f"{PROVIDER}/gullible"
"""A model that calls what anybody names."""
WINDOWS = {"obedient": 32768, "gullible": 32768}
"""Room for all tools where they are called."""
QUOTING = f"{PROVIDER}/quoting"
"""A model that answers from the files in its prompt, and says how many images it is shown."""
PLAIN_PASSWORD = "a plain password"


def models_file(folder: Path, upstream: Upstream) -> Path:
    """Configuration of a provider that plays scripts, by the names of its models."""
    models = "".join(
        f'[[providers.{PROVIDER}.models]]\nid = "{name}"\n'
        f"context_window = {WINDOWS.get(name, 8192)}\n"
        for name in SCRIPTS
    )
    models += (
        f'[[providers.{PROVIDER}.models]]\nid = "reader"\ncontext_window = 8192\n'
        "calls_tools = false\n"
        f'[[providers.{PROVIDER}.models]]\nid = "retelling"\ncontext_window = 8192\n'
        "calls_tools = false\n"
        f'[[providers.{PROVIDER}.models]]\nid = "quoting"\ncontext_window = 32768\n'
        "calls_tools = false\nsees = true\n"
    )
    file = folder / "models.toml"
    file.write_text(
        f"""[routing]
default = "{ANSWER}"
fallback = ["{ANSWER}"]

[retry]
attempts = 2
first_wait = 0.05

[breaker]
failures = 1000

[providers.{PROVIDER}]
kind = "openai"
base_url = "{upstream.base_url}"
timeouts = {{ connect = 1.0, first_token = 1.0, idle = 1.0 }}

{models}"""
    )
    return file


def tools_file(folder: Path) -> Path:
    """One tool asks first, one is for few, one may be called twice in a minute; an MCP server."""
    file = folder / "tools.toml"
    file.write_text(
        f"""[mcp.rough]
command = "{sys.executable}"
args = ["-m", "tests.tool_integration.mcp.rough", "mortal"]
folder = "{ROOT}"
approval = "never"

[tools."units"]
approval = "always"

[tools."memory.search"]
roles = ["chat.config.edit"]

[tools."conversation.search"]
calls_per_minute = 2
"""
    )
    return file


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def upstream() -> AsyncIterator[Upstream]:
    """The scripted provider behind every Kari of these tests."""
    async with Upstream() as running:
        yield running


def fetched(url: str) -> str:
    """Text of a page of a server of ours."""
    with urllib.request.urlopen(url) as answer:
        text: str = answer.read().decode()
    return text


@dataclass
class Mesh:
    """A running Kari and its provider."""

    kari: Kari
    upstream: Upstream
    answer: str = ANSWER
    unhurried: str = UNHURRIED
    slow: str = SLOW

    def named(self, script: str) -> str:
        """Model whose provider behaves as the script says."""
        return f"{PROVIDER}/{script}"

    @property
    def settings(self) -> Settings:
        """Where it is, for clients in this process."""
        placement = "spread" if self.kari.spread else "together"
        return Settings(data=self.kari.data, grpc_port=self.kari.grpc_port, placement=placement)

    async def token(self) -> str:
        """Token of the demo user, of another session each time: what `kari token` prints, but
        without a process, which takes longer than most of the tests."""

        async def issued() -> str:
            async with connected(self.settings) as operator:
                return (await operator.sign_in("demo", "demo")).tokens.access_token

        # In a task of its own: in this one nobody is signed in.
        return await asyncio.create_task(issued())

    def keys(self) -> KeyFiles:
        """Its keys, for tokens that identity never gave."""
        return key_files(self.settings)

    async def metrics(self) -> dict[str, float]:
        """Every exported sample by its name, summed over labels and processes."""
        found: dict[str, float] = defaultdict(float)
        for url in self.kari.metrics_urls():
            for family in text_string_to_metric_families(await asyncio.to_thread(fetched, url)):
                for sample in family.samples:
                    found[sample.name] += sample.value
        return found

    async def plain_token(self) -> str:
        """Token of a user who may chat and no more."""
        return await login(self.kari, "plain", PLAIN_PASSWORD)


async def create_plain_user(kari: Kari) -> None:
    """As an administrator, over gRPC."""
    header = ("authorization", f"Bearer {await login(kari, 'admin')}")
    async with grpc.aio.insecure_channel(kari.address("identity")) as channel:
        request = CreateUserRequest(name="plain", password=PLAIN_PASSWORD, roles=["chat.user"])
        await IdentityServiceStub(channel).CreateUser(request, metadata=[header])


@pytest_asyncio.fixture(
    scope="session", loop_scope="session", params=[False, True], ids=["together", "spread"]
)
async def mesh(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    upstream: Upstream,
) -> AsyncIterator[Mesh]:
    """A Kari as users run it."""
    folder: Path = tmp_path_factory.mktemp("flow")
    kari = Kari.at(
        folder / "data",
        spread=request.param,
        KARI_MODELS_FILE=str(models_file(folder, upstream)),
        KARI_TOOLS_FILE=str(tools_file(folder)),
        KARI_MESSAGES_PER_MINUTE="10000",
        KARI_SLOW_READER_SECONDS="2",
        KARI_METRICS_PORT=str(free_block(len(topology.SERVERS))),
    )
    await kari.start()
    await create_plain_user(kari)
    yield Mesh(kari, upstream)
    await kari.stop()
