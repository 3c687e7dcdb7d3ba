"""Erasing what nobody needs, whatever stands in its way; and bytes that count."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import asyncpg
import grpc
import pytest
import pytest_asyncio

from kari.conversation_models.v1.file_pb2 import File
from kari.file_attachment.v1 import file_attachment_pb2 as contract
from tests.file_attachment.attachment import Attachment
from tests.file_attachment.test_uploads import objects_are, used
from tests.hosting import Somebody, connect_as, until


@pytest_asyncio.fixture
async def tables(attachment: Attachment) -> AsyncIterator[asyncpg.Connection]:
    """The server's tables, as it sees them for the tenant."""
    connection = await connect_as(
        attachment.wiring.settings, "file_attachment", attachment.somebody.tenant_id
    )
    yield connection
    await connection.close()


async def delete(attachment: Attachment, file: File) -> None:
    """Deletes a file."""
    await attachment.stub.DeleteFile(contract.DeleteFileRequest(file_id=file.id))


async def test_what_cannot_be_erased_holds_up_nothing_else(
    attachment: Attachment, tables: asyncpg.Connection
) -> None:
    """It is tried again, later each time, until it can be."""
    stuck = await attachment.upload(secrets.token_bytes(1000))
    (part,) = attachment.objects()
    elsewhere = part.parent.with_name("elsewhere")
    part.parent.rename(elsewhere)
    part.parent.symlink_to(elsewhere)  # nothing erases through a link
    await delete(attachment, stuck)
    await until(lambda: tables.fetchval("SELECT sum(attempts) FROM erasures"))
    other = await attachment.upload(secrets.token_bytes(1000))
    await delete(attachment, other)
    await until(lambda: waiting(tables, 1))
    later = "SELECT due_at > statement_timestamp() + interval '30 seconds' FROM erasures"
    assert await tables.fetchval(later)
    part.parent.unlink()
    elsewhere.rename(part.parent)
    await tables.execute("UPDATE erasures SET due_at = statement_timestamp()")
    await delete(attachment, await attachment.upload(b"so that the server looks again"))
    await until(lambda: waiting(tables, 0))
    await until(lambda: objects_are(attachment, 0))


async def waiting(tables: asyncpg.Connection, count: int) -> bool:
    """Whether so many prefixes wait to be erased."""
    return await tables.fetchval("SELECT count(*) FROM erasures") == count


async def test_bytes_are_counted_once_whatever_is_done_with_them(
    attachment: Attachment, tables: asyncpg.Connection
) -> None:
    """By several users at once: the counts are those of the files."""
    tenant_id = attachment.somebody.tenant_id
    users = [Attachment(attachment.wiring, Somebody(tenant_id=tenant_id)) for _ in range(3)]
    contents = [secrets.token_bytes(100 + n) for n in range(4)]

    async def live(user: Attachment, seed: int) -> None:
        with user.somebody.acts(user.wiring):
            files = [await user.upload(contents[(seed + n) % 4]) for n in range(8)]
            replaced = await user.upload(f"replaced {seed}".encode())
            await user.send(contents[0], request_id="clean", replaces_file_id=replaced.id)
            claimed = await user.claim(replaced.id)
            await user.stub.RecordHooks(
                contract.RecordHooksRequest(
                    file_id=replaced.id, claim=claimed.claim, replaced_by_request_id="clean"
                )
            )
            await asyncio.gather(*(delete(user, file) for file in files[seed:7]))

    await asyncio.gather(*(live(user, n) for n, user in enumerate(users)))
    counted = {r["user_id"]: r["bytes"] for r in await tables.fetch("SELECT * FROM usage")}
    of_users = await tables.fetch(
        "SELECT user_id, sum(size_bytes) AS bytes FROM "
        "(SELECT DISTINCT user_id, sha256, size_bytes FROM files) AS each GROUP BY user_id"
    )
    of_tenant = await tables.fetchval("SELECT sum(size_bytes) FROM blobs")
    assert counted == {**{r["user_id"]: r["bytes"] for r in of_users}, "": of_tenant}
    for user in users:
        with user.somebody.acts(user.wiring):
            assert await used(user) == counted[user.somebody.user_id]


async def test_an_upload_that_nobody_ends_is_given_up(
    attachment: Attachment, tables: asyncpg.Connection
) -> None:
    """After a day."""
    await attachment.send(b"begun", request_id="begun", partial=True)
    await tables.execute("UPDATE uploads SET updated_at = updated_at - interval '25 hours'")
    await delete(attachment, await attachment.upload(b"so that the server looks around"))
    await until(lambda: objects_are(attachment, 0))
    request = contract.GetUploadRequest(request_id="begun")
    with pytest.raises(grpc.aio.AioRpcError):
        await attachment.stub.GetUpload(request)
