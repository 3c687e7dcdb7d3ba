"""The very first start, on a database of these tests' own."""

import asyncio
import json
import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import grpc
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from cli.migrate import migrate
from embedded.folder import DataFolder
from embedded.stores import EmbeddedStores, Store
from kari.identity.v1.identity_pb2 import IssueTokenRequest, LoginRequest
from servers.identity.first_accounts import FILE, ROLES, FirstAccounts, new_password
from servers.identity.passwords import Passwords
from servers.runtime.keys import ensure_keys
from servers.runtime.mesh_key import OPERATOR
from servers.runtime.postgres import Database, open_database, ping
from servers.runtime.resources import Resource, Resources
from servers.runtime.settings import Settings
from tests.identity.conftest import identity_server, reason_of
from tests.runtime.door import Door


@pytest_asyncio.fixture(scope="module")
async def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A migrated PostgreSQL; returns its URL."""
    with DataFolder(tmp_path_factory.mktemp("own")) as folder:
        async with EmbeddedStores(folder, {Store.POSTGRES}, lambda _: None) as stores:
            assert stores.postgres_url is not None
            await migrate(stores.postgres_url, lambda _: None)
            yield stores.postgres_url


@pytest_asyncio.fixture
async def empty(own_postgres: str) -> str:
    """Its URL, when nobody has ever started Kari on it."""
    owner = await asyncpg.connect(own_postgres)
    await owner.execute("TRUNCATE identity.tenants CASCADE")
    await owner.close()
    return own_postgres


def settings_of(url: str, folder: Path) -> Settings:
    made = Settings(data=folder, postgres_url=url, redis_url="redis://127.0.0.1:1")
    ensure_keys(made)
    return made


def told(folder: Path) -> dict[str, str]:
    """Names and passwords in the file for whoever starts Kari."""
    return dict(re.findall(r"^  (\w+) +(\S+)$", (folder / FILE).read_text(), re.MULTILINE))


async def test_the_first_start_makes_two_accounts_that_can_sign_in(
    empty: str, tmp_path: Path
) -> None:
    """With the names left out where they are the first ones."""
    async with identity_server(settings_of(empty, tmp_path)) as served:
        for name, password in told(tmp_path).items():
            signed_in = await served.stub.Login(LoginRequest(name=name, password=password))
            assert sorted(signed_in.user.roles) == sorted(ROLES[name])
        issued = await served.stub.IssueToken(
            IssueTokenRequest(), metadata=served.as_server(OPERATOR)
        )
        assert issued.user.name == "demo"
    assert set(told(tmp_path)) == {"demo", "admin"}


async def test_passwords_are_for_the_owner_s_eyes_only(empty: str, tmp_path: Path) -> None:
    """In a file of mode 0600; in no log."""
    with capture_logs() as logs:
        async with identity_server(settings_of(empty, tmp_path)):
            pass
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    logged = json.dumps(logs, default=repr)
    assert not any(password in logged for password in told(tmp_path).values())


async def test_the_second_start_makes_nothing(empty: str, tmp_path: Path) -> None:
    """The file that was shown and deleted does not come back; the passwords stay."""
    async with identity_server(settings_of(empty, tmp_path)):
        passwords = told(tmp_path)
    (tmp_path / FILE).unlink()
    async with identity_server(settings_of(empty, tmp_path)) as served:
        await served.stub.Login(LoginRequest(name="demo", password=passwords["demo"]))
    assert not (tmp_path / FILE).exists()


@pytest_asyncio.fixture
async def databases(empty: str, tmp_path: Path) -> AsyncIterator[list[Resource[Database]]]:
    """Pools of four processes."""
    resources, settings = Resources(), settings_of(empty, tmp_path)
    yield [
        resources.add(
            str(n), lambda: open_database(settings, "identity", largest=1), ping, required=True
        )
        for n in range(4)
    ]
    await resources.close()


async def test_of_starts_at_once_one_makes_the_accounts(
    databases: list[Resource[Database]], tmp_path: Path
) -> None:
    """There is one set of passwords, and it is the one that works."""
    passwords, folders = Passwords(), [tmp_path / str(n) for n in range(4)]
    for folder in folders:
        folder.mkdir()
    starts = zip(databases, folders, strict=True)
    await asyncio.gather(*(FirstAccounts(d, passwords, f).ensure() for d, f in starts))
    await passwords.close()
    assert [(f / FILE).exists() for f in folders].count(True) == 1


async def test_a_file_of_a_start_that_died_is_replaced(
    databases: list[Resource[Database]], tmp_path: Path
) -> None:
    """Its accounts were never committed."""
    (tmp_path / FILE).write_text("  demo  old\n")
    passwords = Passwords()
    await FirstAccounts(databases[0], passwords, tmp_path).ensure()
    await passwords.close()
    assert told(tmp_path)["demo"] != "old"


async def test_accounts_whose_passwords_cannot_be_told_are_not_made(
    databases: list[Resource[Database]], tmp_path: Path
) -> None:
    """A full or missing disk; the next start tries again."""
    passwords = Passwords()
    with pytest.raises(FileNotFoundError):
        await FirstAccounts(databases[0], passwords, tmp_path / "missing").ensure()
    await FirstAccounts(databases[0], passwords, tmp_path).ensure()
    await passwords.close()
    assert set(told(tmp_path)) == {"demo", "admin"}


async def test_a_start_waits_for_postgres(empty: str, tmp_path: Path) -> None:
    """It does not crash, and is ready once Postgres answers."""
    async with Door(empty) as door:
        await door.shut()
        server = identity_server(settings_of(door.url, tmp_path))
        starting = asyncio.create_task(server.__aenter__())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(starting), 0.5)
        await door.open()
        await asyncio.wait_for(starting, 15)
        await server.__aexit__(None, None, None)
    assert set(told(tmp_path)) == {"demo", "admin"}


async def test_without_postgres_nobody_signs_in_and_everybody_is_told_to_come_back(
    empty: str, tmp_path: Path
) -> None:
    """And when it is back, so are they."""
    async with Door(empty) as door, identity_server(settings_of(door.url, tmp_path)) as served:
        request = LoginRequest(name="demo", password=told(tmp_path)["demo"])
        await door.shut()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.stub.Login(request)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(caught.value) == "REASON_STORE_UNAVAILABLE"
        await door.open()
        assert (await served.stub.Login(request)).user.name == "demo"


def test_passwords_can_be_read_out_and_are_never_the_same() -> None:
    """Four pairs of syllables."""
    made = {new_password() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"[a-z]{4}(-[a-z]{4}){3}", password) for password in made)
