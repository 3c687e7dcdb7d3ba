"""Servers of the mesh in the test's own process: real servers, real channels, real stores."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import asyncpg

from embedded.stores import EmbeddedStores
from servers import topology
from servers.composition import mesh
from servers.runtime.bootstrap import Hosted, serving
from servers.runtime.call import Call, Principal, acting
from servers.runtime.ids import new_correlation_id, new_id
from servers.runtime.keys import ensure_keys
from servers.runtime.settings import Settings
from servers.wiring import Wiring
from tests.running import free_block

T = TypeVar("T")


@asynccontextmanager
async def hosting(
    settings: Settings, *names: str, others: Sequence[Hosted] = (), sockets: bool = False
) -> AsyncIterator[Wiring]:
    """Serves the named servers, and `others` beside them, on the port of the first of them; they
    call each other in process, or over sockets if told so. When spread, nobody listens on the
    ports of the rest of the mesh."""
    here = settings.model_copy(update={"grpc_port": free_block(len(topology.SERVERS))})
    inside = () if sockets else (*names, *(other.name for other in others))
    wiring = Wiring(here, ensure_keys(here), here=inside)
    async with serving(mesh.bootstrap(wiring, names, others), 2.0):
        yield wiring
    await wiring.close()


@dataclass(frozen=True)
class Somebody:
    """A user for tests, alone in a tenant unless told which."""

    tenant_id: str = field(default_factory=lambda: new_id("tenant"))
    user_id: str = field(default_factory=lambda: new_id("user"))
    roles: frozenset[str] = frozenset({"chat.user"})

    def of(self, wiring: Wiring) -> Principal:
        """The user, with a token that servers of this mesh accept from each other."""
        return wiring.mesh_key.delegate(
            "chat_orchestrator", user_id=self.user_id, tenant_id=self.tenant_id, roles=self.roles
        )

    @contextmanager
    def acts(self, wiring: Wiring) -> Iterator[Call]:
        """Calls inside the block are made for this user."""
        with acting(Call(new_correlation_id(), principal=self.of(wiring))) as call:
            yield call


async def connect_as(
    settings: Settings, server: str, tenant_id: str | None = None
) -> asyncpg.Connection:
    """A connection with a server's own role and rights, its tenant set."""
    assert settings.postgres_url is not None
    connection = await asyncpg.connect(
        settings.postgres_url.get_secret_value(),
        server_settings={"role": f"kari_{server}", "search_path": server},
    )
    if tenant_id is not None:
        await connection.execute("SELECT set_config('kari.tenant', $1, false)", tenant_id)
    return connection


def settings_for(stores: EmbeddedStores, data: Path) -> Settings:
    """Settings with a data folder of their own that name these stores."""
    return Settings(
        data=data,
        postgres_url=stores.postgres_url,
        redis_url=stores.redis_url,
        milvus_url=stores.milvus_url,
        milvus_token=stores.milvus_token,
    )


async def until(check: Callable[[], Awaitable[T]], seconds: float = 30.0) -> T:
    """What `check` gives, as soon as it is true; TimeoutError if it never is."""
    async with asyncio.timeout(seconds):
        while not (found := await check()):  # what is waited for is elsewhere
            await asyncio.sleep(0.02)
    return found
