"""A PostgreSQL of its own, and a new database in it for every test."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from embedded.folder import DataFolder
from embedded.stores import EmbeddedStores, Store
from servers.runtime.ids import new_id


def say(_line: str) -> None:
    """Nobody reads along."""


@dataclass(frozen=True)
class Cluster:
    """A server with the ordinary user `kari` and a superuser, by URL."""

    ordinary: str
    superuser: str


@dataclass(frozen=True)
class NewDatabase:
    """An empty database that belongs to `kari`."""

    ordinary: str
    superuser: str

    async def connect(self, server: str = "", *, superuser: bool = False) -> asyncpg.Connection:
        """A connection; under the role of a server, if one is named."""
        settings = {"role": f"kari_{server}", "search_path": server} if server else {}
        url = self.superuser if superuser else self.ordinary
        return await asyncpg.connect(url, server_settings=settings)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    with DataFolder(tmp_path_factory.mktemp("migrations")) as folder:
        async with EmbeddedStores(folder, {Store.POSTGRES}, say) as stores:
            assert stores.postgres_url is not None
            password = folder.secret("postgres_admin")
            parts = urlsplit(stores.postgres_url)
            netloc = f"postgres:{password}@{parts.hostname}:{parts.port}"
            yield Cluster(stores.postgres_url, urlunsplit(parts._replace(netloc=netloc)))


@pytest_asyncio.fixture
async def database(cluster: Cluster) -> NewDatabase:
    name = new_id("db")
    connection = await asyncpg.connect(cluster.superuser)
    await connection.execute(f"CREATE DATABASE {name} OWNER kari")
    await connection.close()
    urls = [
        urlunsplit(urlsplit(url)._replace(path=name))
        for url in (cluster.ordinary, cluster.superuser)
    ]
    return NewDatabase(*urls)
