"""Calls that bring nothing: they keep nobody's place."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import grpc

from embedded.stores import EmbeddedStores
from kari.errors.v1.errors_pb2 import ErrorEnvelope, Reason
from kari.file_attachment.v1 import file_attachment_pb2 as contract
from servers.runtime.errors import envelope_of
from servers.runtime.ids import new_id
from tests.file_attachment.attachment import Attachment, steps
from tests.hosting import Somebody, hosting, settings_for
from tests.production_memory.memory import refusal


def silent(attachment: Attachment, request_id: str, data: bytes = b"") -> Awaitable[object]:
    """A call that brings so much and then nothing."""

    async def given() -> AsyncIterator[contract.UploadRequest]:
        async for step in steps(contract.UploadStart(request_id=request_id), data, None):
            yield step
        await asyncio.sleep(60)

    call: Awaitable[object] = attachment.stub.Upload(given())
    return call


async def test_an_upload_that_falls_silent_is_put_down_and_goes_on(
    stores: EmbeddedStores, tmp_path: Path
) -> None:
    """What came is kept; the place is told."""
    settings = settings_for(stores, tmp_path)
    settings = settings.model_copy(update={"upload_idle_seconds": 0.3})
    mine = Somebody()
    async with hosting(settings, "file_attachment") as wiring:
        attachment, request_id = Attachment(wiring, mine), new_id("up")
        with mine.acts(wiring):
            told = await refusal(silent(attachment, request_id, b"half"))
            assert (told.reason, told.retryable) == (Reason.REASON_UPLOAD_OFFSET, True)
            assert told.details["offset"] == "4"
            assert "nothing came for 0.3 s" in told.message
            done = await attachment.send(b" and half", request_id=request_id, offset=4)
            assert done.file.size_bytes == 13


async def test_a_call_that_is_overtaken_ends_at_once(attachment: Attachment) -> None:
    """While it waits for bytes that do not come; the file is that of the later one."""
    request_id = new_id("up")
    before = asyncio.ensure_future(silent(attachment, request_id, b"mine"))
    await asyncio.sleep(0.5)  # its steps are on their way
    done = await attachment.send(b"yours", request_id=request_id)
    told = await refusal(before)
    assert (told.reason, told.retryable) == (Reason.REASON_UPLOAD_OFFSET, False)
    assert told.message == "another call goes on with this upload"
    assert await attachment.download(done.file.id, for_hooks=True) == b"yours"


async def test_who_holds_as_many_calls_as_they_may_blocks_nobody_else(
    attachment: Attachment,
) -> None:
    """Of uploads of their own, or of one: calls that were overtaken hold no place."""
    limit, one = attachment.wiring.settings.transfers_per_user, new_id("up")
    held = [asyncio.ensure_future(silent(attachment, one)) for _ in range(140)]
    held += [asyncio.ensure_future(silent(attachment, new_id("up"))) for _ in range(limit + 4)]
    done = 140 + 4
    while sum(each.done() for each in held) < done:
        await asyncio.sleep(0.05)
    told = [refused for each in held if each.done() and (refused := envelope(each))]
    reasons = {each.reason for each in told}
    assert reasons <= {Reason.REASON_UPLOAD_OFFSET, Reason.REASON_UPLOAD_LIMIT}
    assert f"{limit} uploads at once are allowed; wait for another one to end" in {
        each.message for each in told
    }
    other = Attachment(attachment.wiring, Somebody())
    with other.somebody.acts(other.wiring):
        assert (await other.upload(b"hello")).size_bytes == 5
    for each in held:
        each.cancel()
    await asyncio.gather(*held, return_exceptions=True)


def envelope(call: "asyncio.Future[object]") -> ErrorEnvelope | None:
    """What a call was told that is over."""
    error = call.exception()
    assert isinstance(error, grpc.aio.AioRpcError)
    return envelope_of(error)
