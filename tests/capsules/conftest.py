"""Capsules on real stores, with tools, a trail and a scripted provider."""

import os
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from servers.capsules.catalogue import Catalogue
from servers.capsules.outside import Outside
from servers.composition import capsules as composition
from servers.runtime.lookup import looked_up
from servers.runtime.public_addresses import refusal
from servers.wiring import Wiring
from tests.capsules.shelf import fill
from tests.capsules.workshop import Workshop
from tests.hosting import hosting, settings_for
from tests.upstream.server import Upstream

SERVERS = ("capsules", "tool_integration", "model_factory", "audit")
PUBLIC = "127.0.0.2"
"""An address that stands for a public one."""
MODELS = """\
[providers.far]
kind = "openai"
base_url = "{url}"
models = [{{ id = "plain-3" }}, {{ id = "limit-length" }}]

[routing]
default = "far/plain-3"
"""


async def resolved(host: str, port: int) -> list[tuple[int, str]]:
    """`site.example` is at the public address, `inside.example` on this machine."""
    names = {"site.example": PUBLIC, "inside.example": "127.0.0.1"}
    return await looked_up(names.get(host, host), port)


def refused(address: str) -> str:
    """As in earnest, but for the one address."""
    return "" if address == PUBLIC else refusal(address)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def far_model() -> AsyncIterator[Upstream]:
    """A capable model, scripted."""
    async with Upstream() as upstream:
        yield upstream


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def capsule_servers(
    stores: EmbeddedStores, far_model: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Wiring]:
    """The capsules server and its peers."""
    data = tmp_path_factory.mktemp("capsules")
    (data / "models.toml").write_text(MODELS.format(url=far_model.base_url))
    bench, shelf = data / "bench", data / "shelf"
    bench.mkdir()
    shelf.mkdir()
    fill(shelf)
    named = {"capsules": os.pathsep.join((str(bench), str(shelf)))}
    settings = settings_for(stores, data).model_copy(update=named)
    with pytest.MonkeyPatch.context() as patch:
        outside = partial(Outside, lookup=resolved, refuses=refused)
        patch.setattr(composition, "Outside", outside)
        # Tests put many capsules into folders and wait for each.
        patch.setattr(composition, "Catalogue", partial(Catalogue, look_seconds=0.2))
        async with hosting(settings, *SERVERS) as wiring:
            await Workshop(wiring, bench).settled()
            yield wiring


@pytest.fixture
def workshop(capsule_servers: Wiring) -> Iterator[Workshop]:
    """A new user in a new tenant, and an empty folder."""
    made = Workshop(capsule_servers, capsule_servers.settings.capsule_folders[0])
    yield made
    made.clear()
