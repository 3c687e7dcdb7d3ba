"""The embedded stores: those that no URL was given for, started together and stopped together."""

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Self

from embedded.folder import DataFolder
from embedded.milvus import Milvus
from embedded.ports import ReservedPort
from embedded.postgres import CONNECTIONS, Postgres
from embedded.postgres_program import SYSTEM_FOLDER
from embedded.progress import Report, announced
from embedded.supervisor import Supervisor, together
from embedded.valkey import Valkey
from servers.runtime.settings import Settings

STOP_SECONDS = 25.0
"""More than Milvus Lite's own limit for closing, so that it can keep it."""


class Store(StrEnum):
    """A kind of store that Kari needs."""

    POSTGRES = "postgres"
    REDIS = "redis"
    MILVUS = "milvus"


def missing_stores(settings: Settings) -> frozenset[Store]:
    """The stores that have no URL and so are to be embedded."""
    return frozenset(store for store in Store if getattr(settings, f"{store}_url") is None)


class EmbeddedStores:
    """Real stores beside the mesh. An async context manager: inside, every wanted store answers.

    `postgres_url`, `redis_url`, `milvus_url` and `milvus_token` are None for a store that is not
    wanted. A store that dies is started again on the same port and reported. Raises `StartError`.
    """

    def __init__(
        self,
        folder: DataFolder,
        wanted: Collection[Store],
        report: Report,
        *,
        system_folder: Path = SYSTEM_FOLDER,
        connections: int = CONNECTIONS,
    ) -> None:
        self._folder = folder
        self._wanted = wanted
        self._report = report
        self._system_folder = system_folder
        self._connections = connections
        self._ports: list[ReservedPort] = []
        self._supervisor = Supervisor(folder.logs, report, stop_seconds=STOP_SECONDS)
        self.postgres_url: str | None = None
        self.redis_url: str | None = None
        self.milvus_url: str | None = None
        self.milvus_token: str | None = None

    async def __aenter__(self) -> Self:
        try:
            await together(self._start(store) for store in self._stores())
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    def environment(self) -> dict[str, str]:
        """The settings by which child processes find these stores. Secret: never in argv."""
        found = {
            "KARI_POSTGRES_URL": self.postgres_url,
            "KARI_REDIS_URL": self.redis_url,
            "KARI_MILVUS_URL": self.milvus_url,
            "KARI_MILVUS_TOKEN": self.milvus_token,
        }
        return {name: value for name, value in found.items() if value is not None}

    def pid(self, store: Store) -> int:
        """Process id of a wanted store."""
        return self._supervisor.pid("valkey" if store is Store.REDIS else store.value)

    def _stores(self) -> list[Postgres | Valkey | Milvus]:
        stores: list[Postgres | Valkey | Milvus] = []
        if Store.POSTGRES in self._wanted:
            postgres = Postgres(
                self._folder,
                self._port(),
                self._report,
                self._system_folder,
                self._connections,
            )
            self.postgres_url = postgres.url
            stores.append(postgres)
        if Store.REDIS in self._wanted:
            valkey = Valkey(self._folder, self._port())
            self.redis_url = valkey.url
            stores.append(valkey)
        if Store.MILVUS in self._wanted:
            milvus = Milvus(self._folder, self._port())
            self.milvus_url, self.milvus_token = milvus.url, milvus.token
            stores.append(milvus)
        return stores

    def _port(self) -> int:
        self._ports.append(ReservedPort())
        return self._ports[-1].number

    async def _start(self, store: Postgres | Valkey | Milvus) -> None:
        program = await store.program()
        with announced(self._report, f"{store.name}: starting ..."):
            await self._supervisor.start(program)

    async def _stop(self) -> None:
        with announced(self._report, "stores: stopping ..."):
            await self._supervisor.stop()
        for port in self._ports:
            port.close()
        self._ports.clear()
