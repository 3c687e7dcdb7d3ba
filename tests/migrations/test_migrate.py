"""`migrate` brings a database up to date, or says plainly why it cannot."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.migrate import MIGRATIONS, RECORD, migrate
from embedded.errors import StartError
from tests.migrations.conftest import NewDatabase, say

BROKEN = """\
-- migrate:up
CREATE TABLE public.half_done ();
SELECT no_such_function();
-- migrate:down
"""


async def recorded(database: NewDatabase) -> list[str]:
    connection = await database.connect()
    rows = await connection.fetch(f"SELECT version FROM {RECORD} ORDER BY version")
    await connection.close()
    return [row["version"] for row in rows]


def known() -> list[str]:
    return sorted(file.name.partition("_")[0] for file in MIGRATIONS.glob("*.sql"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations that a test can add to."""
    return Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))


async def test_an_empty_database_is_brought_up_to_date(database: NewDatabase) -> None:
    await migrate(database.ordinary, say)
    assert await recorded(database) == known()


async def test_a_second_time_there_is_nothing_to_do(database: NewDatabase) -> None:
    for _ in range(2):
        await migrate(database.ordinary, say)
    assert await recorded(database) == known()


async def test_several_at_once_agree(database: NewDatabase) -> None:
    await asyncio.gather(*(migrate(database.ordinary, say) for _ in range(4)))
    assert await recorded(database) == known()


async def test_a_database_of_a_newer_version_is_left_alone(
    database: NewDatabase, folder: Path
) -> None:
    (folder / "20991231000000_later.sql").write_text("-- migrate:up\nSELECT 1;\n-- migrate:down\n")
    await migrate(database.ordinary, say, folder=folder)
    with pytest.raises(StartError, match="newer Kari: it has migration 20991231000000"):
        await migrate(database.ordinary, say)


async def test_a_migration_that_fails_leaves_nothing_of_itself(
    database: NewDatabase, folder: Path
) -> None:
    (folder / "20991231000000_broken.sql").write_text(BROKEN)
    with pytest.raises(StartError, match=r"no_such_function\(\) does not exist"):
        await migrate(database.ordinary, say, folder=folder)
    assert await recorded(database) == known()
    connection = await database.connect()
    assert await connection.fetchval("SELECT to_regclass('public.half_done')") is None
    await connection.close()


async def test_a_wrong_password_is_a_clear_message_that_does_not_tell_it(
    database: NewDatabase,
) -> None:
    password = urlsplit(database.ordinary).password or ""
    with pytest.raises(StartError, match="refuses: password authentication failed") as caught:
        await migrate(database.ordinary.replace(password, "wr0ng-passw0rd"), say)
    assert "wr0ng-passw0rd" not in str(caught.value) + caught.value.detail


@pytest.mark.parametrize(
    "url", ["postgresql://kari:s3cret@127.0.0.1:1/kari", "postgresql://kari:s3cret@[::1]:bad/kari"]
)
async def test_a_server_that_is_not_there_is_a_clear_message(url: str) -> None:
    with pytest.raises(StartError, match=r"PostgreSQL at .* (does not answer|refuses)") as caught:
        await migrate(url, say, wait_seconds=0.3)
    assert "s3cret" not in str(caught.value)


async def test_a_failing_migration_does_not_tell_the_password(
    database: NewDatabase, folder: Path
) -> None:
    password = urlsplit(database.ordinary).password or ""
    (folder / "20991231000000_broken.sql").write_text(
        f"-- migrate:up\nDO $$ BEGIN RAISE EXCEPTION 'it is {password}'; END $$;\n-- migrate:down\n"
    )
    with pytest.raises(StartError, match=r"it is \*\*\*") as caught:
        await migrate(database.ordinary, say, folder=folder)
    assert password not in str(caught.value) + caught.value.detail


async def test_an_administrator_can_migrate_as_well(database: NewDatabase) -> None:
    """Then the servers act under their roles, and row-level security binds them all the same."""
    await migrate(database.superuser, say)
    connection = await database.connect("production_memory", superuser=True)
    assert await connection.fetchval("SELECT current_user") == "kari_production_memory"
    assert await connection.fetchval("SELECT row_security_active('messages')")
    await connection.close()


async def test_every_migration_can_be_undone_and_made_again(database: NewDatabase) -> None:
    await migrate(database.ordinary, say)
    for _ in known():
        await asyncio.to_thread(_roll_back, database)
    connection = await database.connect()
    left = await connection.fetch(
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public|kari$)'"
    )
    await connection.close()
    assert left == []
    await migrate(database.ordinary, say)


def test_without_a_url_the_command_says_what_to_set() -> None:
    argv = [sys.executable, "-m", "cli.main", "migrate"]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "KARI_POSTGRES_URL" in ended.stderr


def test_the_command_ends_with_0_when_it_is_done(database: NewDatabase) -> None:
    argv = [sys.executable, "-m", "cli.main", "migrate"]
    environment = {**os.environ, "KARI_POSTGRES_URL": database.ordinary}
    ended = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def _roll_back(database: NewDatabase) -> None:
    program = Path(sys.executable).with_name("dbmate")
    argv = [program, "-d", MIGRATIONS, "--migrations-table", RECORD, "--no-dump-schema", "down"]
    url = f"{database.ordinary}?sslmode=disable"
    subprocess.run(argv, env={"DATABASE_URL": url}, check=True, capture_output=True)
