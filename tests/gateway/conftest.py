"""A gateway in front of scripted servers, with a real Redis beside it."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from embedded.folder import DataFolder
from embedded.stores import EmbeddedStores, Store
from gateway.app import Gateway, serving_gateway
from servers.runtime.redis import open_redis, ping
from servers.runtime.resources import Resources
from servers.runtime.settings import Settings
from tests.gateway.client import Client, connected
from tests.gateway.mesh import Mesh, serving_mesh

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """URL of a Valkey."""
    with DataFolder(tmp_path_factory.mktemp("valkey")) as folder:
        async with EmbeddedStores(folder, {Store.REDIS}, lambda _: None) as running:
            assert running.redis_url is not None
            yield running.redis_url


@pytest.fixture(scope="session")
def nowhere() -> SecretStr:
    """URL of a Redis that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return SecretStr(f"redis://127.0.0.1:{probe.getsockname()[1]}")


@pytest.fixture
def settings(valkey: str, tmp_path: Path) -> Settings:
    """Settings of a gateway on a free port."""
    return Settings(data=tmp_path / "data", redis_url=valkey, http_port=0, drain_seconds=5)


@pytest_asyncio.fixture(loop_scope="session")
async def mesh(settings: Settings) -> AsyncIterator[Mesh]:
    """Scripted servers."""
    async with serving_mesh(settings) as running:
        await (await running.redis.get()).flushall()
        yield running


@pytest.fixture
def serve(settings: Settings, mesh: Mesh) -> Serve:
    """Serves another gateway, with changed settings."""

    @asynccontextmanager
    async def served(**changes: object) -> AsyncIterator[Gateway]:
        changed = settings.model_copy(update=changes)
        resources = Resources()
        redis = resources.add("redis", partial(open_redis, changed), ping, required=False)
        async with serving_gateway(changed, *mesh.peers, redis, mesh.access_tokens) as running:
            yield running
        await resources.close()

    return served


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(serve: Serve) -> AsyncIterator[Gateway]:
    """A gateway."""
    async with serve() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def client(gateway: Gateway, mesh: Mesh) -> AsyncIterator[Client]:
    """Ada's socket."""
    async with connected(gateway.url, mesh.identity.token()) as ada:
        yield ada
