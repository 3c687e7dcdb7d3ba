"""A real identity server on real stores, and tenants of each test's own."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest_asyncio

from kari.errors.v1.errors_pb2 import Reason
from kari.identity.v1 import identity_pb2_grpc
from kari.identity.v1.identity_pb2 import LoginRequest, LoginResponse
from servers.composition.mesh import put_together
from servers.identity.accounts import Account
from servers.identity.clock import utc_now
from servers.identity.first_accounts import ROLES
from servers.identity.passwords import HASHER
from servers.identity.store import Users, queries
from servers.runtime.bootstrap import Bootstrap, serving
from servers.runtime.errors import envelope_of
from servers.runtime.ids import new_id
from servers.runtime.keys import key_files
from servers.runtime.mesh_key import MeshKey
from servers.runtime.postgres import Database, open_database, ping
from servers.runtime.resources import Resource, Resources
from servers.runtime.settings import Settings
from servers.wiring import Wiring

Metadata = tuple[tuple[str, str], ...]

PASSWORD = "correct horse"
HASH = HASHER.hash(PASSWORD)


@dataclass(frozen=True)
class Tenant:
    """A tenant with the users `demo` and `admin`, both with PASSWORD."""

    name: str
    id: str


@dataclass(frozen=True)
class Served:
    """An identity server, and what tests need to call it."""

    stub: "identity_pb2_grpc.IdentityServiceAsyncStub"
    channel: grpc.aio.Channel
    mesh_key: MeshKey

    async def login(self, tenant: Tenant, name: str = "demo") -> LoginResponse:
        return await self.stub.Login(LoginRequest(tenant=tenant.name, name=name, password=PASSWORD))

    async def as_user(self, tenant: Tenant, name: str = "demo") -> Metadata:
        """Metadata of a signed-in user."""
        return bearer((await self.login(tenant, name)).tokens.access_token)

    def as_server(self, name: str) -> Metadata:
        """Metadata of a server of the mesh, or the operator."""
        return (("x-kari-caller", self.mesh_key.prove(name)),)


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Name of the reason that an error carries."""
    envelope = envelope_of(error)
    assert envelope is not None, error
    return Reason.Name(envelope.reason)


@asynccontextmanager
async def identity_server(settings: Settings) -> AsyncIterator[Served]:
    """Serves identity alone, put together as in production."""
    wiring = Wiring(settings, key_files(settings))
    hosted = [put_together("identity", wiring)]
    bootstrap = Bootstrap(hosted, wiring.resources, wiring.security(), "127.0.0.1:0")
    async with (
        serving(bootstrap, 1) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = identity_pb2_grpc.IdentityServiceStub(channel)
        yield Served(stub, channel, wiring.mesh_key)


@pytest_asyncio.fixture
async def served(settings: Settings) -> AsyncIterator[Served]:
    async with identity_server(settings) as running:
        yield running


@pytest_asyncio.fixture
async def database(settings: Settings) -> AsyncIterator[Resource[Database]]:
    """Identity's own schema, under its own role."""
    resources = Resources()
    yield resources.add(
        "postgres", lambda: open_database(settings, "identity", largest=4), ping, required=True
    )
    await resources.close()


@pytest_asyncio.fixture
async def tenant(database: Resource[Database]) -> Tenant:
    return await new_tenant(database)


@pytest_asyncio.fixture
async def other_tenant(database: Resource[Database]) -> Tenant:
    return await new_tenant(database)


async def new_tenant(database: Resource[Database]) -> Tenant:
    made = Tenant(f"t-{secrets.token_hex(4)}", new_id("tenant"))
    async with (await database.get()).across_tenants() as connection:
        await connection.execute(queries.insert_tenant, made.id, made.name, utc_now())
    for name, roles in ROLES.items():
        account = Account(new_id("user"), made.id, name, roles, utc_now(), HASH)
        assert await Users(database).add(account)
    return made
