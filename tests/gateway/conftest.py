"""A gateway in front of scripted servers, with a real Redis beside it."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from pydantic import SecretStr

from embedded.folder import DataFolder
from embedded.stores import EmbeddedStores, Store
from gateway.app import Gateway, serving_gateway
from servers.runtime.redis import open_redis, ping
from servers.runtime.resources import Resources
from servers.runtime.settings import Settings
from tests.gateway.browser import ARGUMENTS, CHROMIUM, revisiting, sign_in
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


@pytest.fixture(scope="session")
def settings(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a gateway on a free port."""
    data = tmp_path_factory.mktemp("gateway")
    return Settings(data=data, redis_url=SecretStr(valkey), http_port=0, drain_seconds=5)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_mesh(settings: Settings) -> AsyncIterator[Mesh]:
    """Scripted servers, for all tests."""
    async with serving_mesh(settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def mesh(running_mesh: Mesh) -> Mesh:
    """Scripted servers, where nothing has happened yet."""
    await running_mesh.forget()
    return running_mesh


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_gateway(settings: Settings, running_mesh: Mesh) -> AsyncIterator[Gateway]:
    """A gateway, for all tests."""
    async with serving(settings, running_mesh) as running:
        yield running


@pytest.fixture
def gateway(running_gateway: Gateway, mesh: Mesh) -> Gateway:
    """A gateway, where nothing has happened yet."""
    return running_gateway


@pytest.fixture
def serve(settings: Settings, mesh: Mesh) -> Serve:
    """Serves another gateway, with changed settings."""

    def served(heartbeat: float = 20.0, **changes: object) -> AbstractAsyncContextManager[Gateway]:
        return serving(settings.model_copy(update=changes), mesh, heartbeat)

    return served


@asynccontextmanager
async def serving(
    settings: Settings, mesh: Mesh, heartbeat: float = 20.0
) -> AsyncIterator[Gateway]:
    """A gateway with resources of its own."""
    resources = Resources()
    redis = resources.add("redis", partial(open_redis, settings), ping, required=False)
    async with serving_gateway(
        settings, *mesh.peers, redis, mesh.access_tokens, heartbeat=heartbeat
    ) as running:
        yield running
    await resources.close()


@pytest_asyncio.fixture(loop_scope="session")
async def client(gateway: Gateway, mesh: Mesh) -> AsyncIterator[Client]:
    """Ada's socket."""
    async with connected(gateway.url, mesh.identity.token()) as ada:
        yield ada


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all tests."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def profile(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """One browser profile for the tests of a file."""
    context = await chromium.new_context()
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(profile: BrowserContext, gateway: Gateway) -> AsyncIterator[Page]:
    """The page, with Ada signed in."""
    async with revisiting(profile, gateway.url) as opened:
        await sign_in(opened)
        yield opened
