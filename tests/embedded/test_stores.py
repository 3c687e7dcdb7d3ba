"""The embedded stores answer, keep what they acknowledged, and let nobody else in."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest
from pymilvus import MilvusException
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from embedded.errors import StartError
from embedded.folder import DataFolder
from embedded.stores import EmbeddedStores, Store, missing_stores
from servers.runtime.settings import Settings
from tests.embedded.processes import Hold, Holder
from tests.embedded.store_clients import milvus, names_everywhere, write_everywhere

EVERYWHERE = {"postgres": {"first"}, "redis": {"first"}, "milvus": {"first"}}


async def test_rows_are_there_after_a_clean_stop_and_another_start(data: Path, hold: Hold) -> None:
    """Whoever signs in tomorrow finds the conversation of today."""
    first = hold(data)
    first.await_stores()
    await write_everywhere(first.urls, "first")
    assert first.end(signal.SIGTERM) == 0
    second = hold(data)
    second.await_stores()
    assert await names_everywhere(second.urls) == EVERYWHERE


async def test_second_start_uses_the_cluster_of_the_first(data: Path, system_folder: Path) -> None:
    """Creating a cluster is the slow part of the first start, and is done once."""
    made = []
    for _ in range(2):
        with DataFolder(data) as folder:
            async with EmbeddedStores(folder, {Store.POSTGRES}, print, system_folder=system_folder):
                made.append((data / "postgres" / "cluster").stat().st_ino)
    assert made[0] == made[1]


async def test_only_wanted_stores_run(data: Path, system_folder: Path) -> None:
    """A store with a URL of its own is not embedded."""
    with DataFolder(data) as folder:
        async with EmbeddedStores(
            folder, {Store.REDIS}, print, system_folder=system_folder
        ) as stores:
            assert list(stores.environment()) == ["KARI_REDIS_URL"]
            assert stores.postgres_url is None
            assert not (data / "postgres").exists()


def test_missing_stores_are_those_without_a_url() -> None:
    """Settings decide what is embedded."""
    settings = Settings(postgres_url="postgresql://there", milvus_url=None, redis_url=None)
    assert missing_stores(settings) == {Store.REDIS, Store.MILVUS}


@pytest.mark.parametrize("store", list(Store))
async def test_a_store_that_is_killed_comes_back_where_it_was(
    running: Holder, store: Store
) -> None:
    """Its clients find it again on the same port, with every acknowledged row."""
    psutil.Process(running.pids[store]).kill()
    assert running.process.stderr
    while "running again" not in (line := running.process.stderr.readline()):
        assert line
    assert await names_everywhere(running.urls) == EVERYWHERE


async def test_strangers_are_refused_by_every_store(running: Holder) -> None:
    """Other users of this machine reach loopback too."""
    wrong = {name: url.replace("@", "x@") for name, url in running.urls.items()}
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong["KARI_POSTGRES_URL"])
    with pytest.raises(AuthenticationError):
        async with Redis.from_url(wrong["KARI_REDIS_URL"]) as redis:
            await redis.ping()
    with pytest.raises(MilvusException, match="Fail connecting"):
        await asyncio.to_thread(milvus, wrong | {"KARI_MILVUS_TOKEN": "guessed"})


def test_stores_listen_on_loopback_only_and_hide_their_secrets(running: Holder) -> None:
    """Neither the network nor a process list tells more than it must."""
    running.remember()
    secrets = [path.read_text() for path in (running.data / "secrets").iterdir()]
    addresses, words = set[str](), list[str]()
    for process in running.family:
        with suppress(psutil.NoSuchProcess):  # Postgres' workers come and go
            words += process.cmdline()
            listening = [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
            addresses |= {c.laddr.ip.removeprefix("::ffff:") for c in listening}
    assert addresses == {"127.0.0.1"}
    assert not any(secret in word for secret in secrets for word in words)


async def test_kari_is_no_superuser_and_has_a_database_in_utf8(running: Holder) -> None:
    """Row-level security does not bind superusers."""
    connection = await asyncpg.connect(running.urls["KARI_POSTGRES_URL"])
    try:
        row = await connection.fetchrow(
            "SELECT rolsuper, rolbypassrls, current_database()::text AS name,"
            " current_setting('data_checksums') AS checksums, current_setting('fsync') AS fsync,"
            " current_setting('server_encoding') AS encoding"
            " FROM pg_roles WHERE rolname = current_user"
        )
    finally:
        await connection.close()
    assert tuple(row) == (False, False, "kari", "on", "on", "UTF8")


async def test_a_lost_password_is_a_clear_message(data: Path, system_folder: Path) -> None:
    """Not a start that waits for ever."""
    for expected in (None, "password"):
        with DataFolder(data) as folder:
            stores = EmbeddedStores(folder, {Store.POSTGRES}, print, system_folder=system_folder)
            if expected is None:
                async with stores:
                    (data / "secrets" / "postgres").unlink()
                continue
            with pytest.raises(StartError, match=expected):
                await stores.__aenter__()
