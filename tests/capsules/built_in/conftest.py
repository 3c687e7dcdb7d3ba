"""The capsules of Kari among all the servers that they use, with a scripted capable model."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from servers.tool_integration.built_in import offers
from servers.tool_integration.built_in.fetch import Fetch
from servers.wiring import Wiring
from tests.capsules.built_in.desk import MODEL, Desk
from tests.capsules.built_in.scripted_code import ScriptedCode
from tests.capsules.built_in.site import Site
from tests.hosting import hosting, settings_for
from tests.upstream.server import Upstream

SERVERS = (
    "capsules",
    "tool_integration",
    "model_factory",
    "memory_processor",
    "conversation_search",
    "conversation_manager",
    "production_memory",
    "audit",
)
MODELS = """\
[providers.far]
kind = "openai"
base_url = "{url}"
models = [{{ id = "{model}" }}]

[routing]
default = "far/{model}"

[retry]
attempts = 1
"""
TOOLS = """\
[search]
url = "{site.root}/search"

[fetch]
hosts = ["127.0.0.1"]
ports = [{site.port}]

[tools.units]
approval = "always"
"""


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def upstream() -> AsyncIterator[Upstream]:
    """The provider of the capable model."""
    async with Upstream() as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def small_web() -> AsyncIterator[Site]:
    """Pages and a search engine."""
    async with Site() as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def code() -> ScriptedCode:
    """What runs programs."""
    return ScriptedCode()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def servers(
    stores: EmbeddedStores,
    upstream: Upstream,
    small_web: Site,
    code: ScriptedCode,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Wiring]:
    """Gone with its package: another production memory on the same stores takes its jobs."""
    data = tmp_path_factory.mktemp("built_in")
    (data / "models.toml").write_text(MODELS.format(url=upstream.base_url, model=MODEL))
    (data / "tools.toml").write_text(TOOLS.format(site=small_web))
    (folder := data / "outside").mkdir()
    settings = settings_for(stores, data).model_copy(update={"capsules": str(folder)})
    with pytest.MonkeyPatch.context() as patch:
        # The small web is on loopback, where `web.fetch` connects to nothing otherwise.
        patch.setattr(offers, "Fetch", partial(Fetch, refuses=lambda _address: ""))
        async with hosting(settings, *SERVERS, others=[code.hosted()]) as wiring:
            yield wiring


@pytest_asyncio.fixture
async def desk(
    servers: Wiring, upstream: Upstream, small_web: Site, code: ScriptedCode
) -> AsyncIterator[Desk]:
    """A new user in a new tenant, with a conversation of their own."""
    made = Desk(
        servers, servers.settings.capsule_folders[0], upstream=upstream, web=small_web, code=code
    )
    code.forget()
    await made.begin()
    yield made
    made.clear()
