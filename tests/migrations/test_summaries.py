"""Conversations of earlier versions are summarized after an update as well."""

import shutil
from pathlib import Path

import pytest

from cli.migrate import MIGRATIONS, migrate
from tests.migrations.conftest import NewDatabase, say

SUMMARIES = "20261125002000"


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The migrations of the version before."""
    folder = Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))
    for file in folder.glob("*.sql"):
        if file.name >= SUMMARIES:
            file.unlink()
    return folder


async def test_conversations_that_were_there_before_are_looked_at(
    database: NewDatabase, earlier: Path
) -> None:
    """For whoever spoke last in them; empty ones are not."""
    await migrate(database.ordinary, say, folder=earlier)
    connection = await database.connect("production_memory")
    await connection.execute("SET kari.tenant = 'tenant_1'")
    await connection.execute(
        "INSERT INTO threads (conversation_id, last_sequence) VALUES ('talked', 3), ('empty', 0)"
    )
    said = [(1, "user", "user_1"), (2, "user", "user_2"), (3, "assistant", "")]
    for sequence, role, user_id in said:
        await connection.execute(
            "INSERT INTO messages (id, conversation_id, sequence, role, content, user_id, turn_id)"
            " VALUES ($1, 'talked', $2, $3, 'hello', $4, '')",
            f"msg_{sequence}",
            sequence,
            role,
            user_id,
        )
    await migrate(database.ordinary, say)
    rows = await connection.fetch(
        "SELECT conversation_id, last_user_id, summary_look_at IS NOT NULL AS looked_at"
        " FROM threads ORDER BY conversation_id"
    )
    assert [tuple(row) for row in rows] == [("empty", "", False), ("talked", "user_2", True)]
    await connection.close()


async def test_the_sweeper_keeps_no_right_that_only_the_update_needed(
    database: NewDatabase,
) -> None:
    await migrate(database.ordinary, say)
    connection = await database.connect()
    for table, column, right in (
        ("messages", "user_id", "SELECT"),
        ("threads", "last_user_id", "UPDATE"),
    ):
        assert not await connection.fetchval(
            "SELECT has_column_privilege('kari_production_memory_sweeper',"
            " 'production_memory.' || $1, $2, $3)",
            table,
            column,
            right,
        )
    await connection.close()
