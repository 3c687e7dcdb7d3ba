"""Uploads: whole, cut, gone on with, repeated, refused."""

import asyncio
import hashlib
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from embedded.stores import EmbeddedStores
from kari.conversation_models.v1.file_pb2 import FileState
from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1 import file_attachment_pb2 as contract
from servers.file_attachment.parts import PART_BYTES
from servers.runtime.errors import from_rpc
from servers.runtime.ids import new_id
from servers.runtime.limited import JobFailed, Why
from servers.runtime.sending import send
from tests.file_attachment.attachment import Attachment, steps
from tests.hosting import Somebody, connect_as, hosting, settings_for, until
from tests.production_memory.memory import refusal

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108020000009077") + bytes(64)


async def test_a_file_is_kept_with_what_it_is(attachment: Attachment) -> None:
    """In quarantine, with its digest; its type is read from its content."""
    data = b"# Notes\n\nA plain text that says nothing much, but says it at some length.\n" * 40
    file = await attachment.upload(data, "notes.md")
    assert (file.size_bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert file.content_type.startswith("text/")
    assert file.state == FileState.FILE_STATE_QUARANTINED
    assert file.user_id == attachment.somebody.user_id
    assert await attachment.download(file.id, for_hooks=True) == data


async def test_a_file_of_many_parts_comes_back_as_it_was(attachment: Attachment) -> None:
    """Larger than a part; no byte is lost between them."""
    data = secrets.token_bytes(19 * 1024 * 1024 + 17)
    file = await attachment.ready(data, "noise.bin")
    assert await attachment.download(file.id) == data


async def test_a_cut_upload_goes_on_where_it_was(attachment: Attachment) -> None:
    """What had come is safe, the part under way as well."""
    data, request_id = secrets.token_bytes(11 * 1024 * 1024), new_id("up")
    start = contract.UploadStart(request_id=request_id, name="a.bin", size_bytes=len(data))
    sent, all_sent = 9 * 1024 * 1024, asyncio.Event()

    async def cut() -> AsyncIterator[contract.UploadRequest]:
        async for step in steps(start, data[:sent], None):
            yield step
        all_sent.set()
        await asyncio.sleep(30)

    call = attachment.stub.Upload(cut())
    await all_sent.wait()
    await until(lambda: received(attachment, request_id, PART_BYTES))
    await asyncio.sleep(0.5)  # the last step is on its way
    call.cancel()
    got = await until(lambda: received(attachment, request_id, sent))
    assert got.size_bytes == len(data)
    start.offset = got.received_bytes
    rest = steps(start, data[got.received_bytes :], contract.UploadEnd())
    response = await attachment.stub.Upload(rest)
    assert response.file.sha256 == hashlib.sha256(data).hexdigest()
    await attachment.settle(response.file.id, FileState.FILE_STATE_READY)
    assert await attachment.download(response.file.id) == data


async def test_a_call_without_an_end_finishes_nothing(attachment: Attachment) -> None:
    """However it stopped: half a file is none, though nobody said how long it is."""
    start = contract.UploadStart(request_id=new_id("up"))
    refused = await refusal(attachment.stub.Upload(steps(start, b"half", None)))
    assert (refused.reason, refused.details["offset"]) == (Reason.REASON_UPLOAD_OFFSET, "4")
    got = await received(attachment, start.request_id, 4)
    assert got is not None
    assert not got.HasField("file")


async def received(
    attachment: Attachment, request_id: str, least: int
) -> contract.GetUploadResponse | None:
    """How far an upload has come, once it is known and has so many bytes."""
    try:
        got = await attachment.stub.GetUpload(contract.GetUploadRequest(request_id=request_id))
    except grpc.aio.AioRpcError:  # not begun yet
        return None
    return got if got.received_bytes >= least else None


async def test_an_upload_may_come_in_several_calls(attachment: Attachment) -> None:
    """Each but the last says that more follows."""
    request_id = new_id("up")
    first = await attachment.send(b"one ", request_id=request_id, partial=True)
    assert (first.received_bytes, first.HasField("file")) == (4, False)
    second = await attachment.send(b"two", request_id=request_id, offset=4)
    assert second.file.size_bytes == 7
    assert await attachment.download(second.file.id, for_hooks=True) == b"one two"


async def test_going_on_elsewhere_is_refused_with_the_place(attachment: Attachment) -> None:
    request_id = new_id("up")
    await attachment.send(b"12345", request_id=request_id, partial=True)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await attachment.send(b"6", request_id=request_id, offset=3)
    error = from_rpc(refused.value)
    assert (error.reason, error.details["offset"]) == (Reason.REASON_UPLOAD_OFFSET, "5")


async def test_a_finished_upload_repeated_gives_the_same_file(attachment: Attachment) -> None:
    """And takes nothing in."""
    request_id = new_id("up")
    first = await attachment.send(b"once", request_id=request_id)
    again = await attachment.send(b"once", request_id=request_id)
    assert again.file.id == first.file.id


async def test_an_id_is_that_of_one_file(attachment: Attachment) -> None:
    """Other bytes under it are refused, and change nothing; so is another announcement."""
    first = await attachment.send(b"once", request_id="one")
    for data, said in (
        (b"ones", {}),
        (b"once more", {}),
        (b"on", {}),
        (b"", {"size_bytes": 5, "partial": True}),
        (b"", {"sha256": "0" * 64, "partial": True}),
    ):
        refused = await refusal(attachment.send(data, request_id="one", **said))
        assert refused.reason == Reason.REASON_REQUEST_ID_REUSED
    again = await attachment.send(b"once", request_id="one", size_bytes=4)
    rest = await attachment.send(b"", request_id="one", offset=4)
    assert {again.file.id, rest.file.id} == {first.file.id}
    assert await attachment.download(first.file.id, for_hooks=True) == b"once"
    await attachment.send(b"", request_id="two", size_bytes=10, partial=True)
    other = await refusal(attachment.send(b"", request_id="two", size_bytes=11, partial=True))
    assert other.reason == Reason.REASON_REQUEST_ID_REUSED


async def test_the_same_bytes_are_kept_once_a_tenant(attachment: Attachment) -> None:
    """Two uploads at once of the same bytes are two files over the same objects."""
    data = secrets.token_bytes(100_000)
    one, two = await asyncio.gather(
        attachment.send(data, name="a.bin"), attachment.send(data, name="b.bin")
    )
    assert one.file.id != two.file.id
    assert sorted([one.deduplicated, two.deduplicated]) == [False, True]
    await until(lambda: objects_are(attachment, 1))
    assert await attachment.download(two.file.id, for_hooks=True) == data


async def objects_are(attachment: Attachment, count: int) -> bool:
    """Whether so many objects are there."""
    return len(list(attachment.objects())) == count


async def test_other_tenants_share_nothing(attachment: Attachment) -> None:
    """Not even that somebody has the same bytes can be seen."""
    data = secrets.token_bytes(1000)
    await attachment.upload(data)
    other = Attachment(attachment.wiring, Somebody())
    with other.somebody.acts(other.wiring):
        assert not (await other.send(data, name="x")).deduplicated


async def test_zero_bytes_are_a_file(attachment: Attachment) -> None:
    """An empty one."""
    file = await attachment.ready(b"", "empty.txt")
    assert (file.size_bytes, file.content_type) == (0, "application/x-empty")
    assert await attachment.download(file.id) == b""


async def test_too_large_is_refused_before_a_byte(attachment: Attachment) -> None:
    """By what is announced; ten gigabytes are not waited for."""
    for said in ({"size_bytes": 10_000_000_000}, {"expected_bytes": 10_000_000_000}):
        refused = await refusal(attachment.send(b"", request_id="huge", **said))
        assert refused.reason == Reason.REASON_TOO_LARGE
    gone = attachment.stub.GetUpload(contract.GetUploadRequest(request_id="huge"))
    assert (await refusal(gone)).reason == Reason.REASON_FILE_NOT_FOUND


async def test_limits_are_those_of_tenant_and_role(attachment: Attachment) -> None:
    """A role may widen them, a tenant may narrow them."""
    large = Attachment(
        attachment.wiring, Somebody(roles=frozenset({"chat.user", "chat.files.large"}))
    )
    with large.somebody.acts(large.wiring):
        await large.send(bytes(41_000_000))
    tight = Attachment(attachment.wiring, Somebody(tenant_id="tight"))
    with tight.somebody.acts(tight.wiring):
        refused = await refusal(tight.send(bytes(1_001)))
    assert refused.reason == Reason.REASON_TOO_LARGE


async def test_a_quota_holds_over_all_files(attachment: Attachment) -> None:
    """Deleting makes room; the same bytes again need it only while they come."""
    data = secrets.token_bytes(39_000_000)
    kept = await attachment.upload(data)
    again = await attachment.send(data, name="again")
    assert (again.file.sha256, again.deduplicated) == (kept.sha256, True)
    other = await attachment.upload(secrets.token_bytes(30_000_000))
    third = secrets.token_bytes(32_000_000)
    assert (await refusal(attachment.send(third))).reason == Reason.REASON_FILE_QUOTA
    await attachment.stub.DeleteFile(contract.DeleteFileRequest(file_id=other.id))
    await attachment.upload(third)
    assert await used(attachment) == 71_000_000


async def used(attachment: Attachment) -> int:
    """Bytes that the user has by what is told."""
    return int((await attachment.stub.ListFiles(contract.ListFilesRequest())).used_bytes)


async def test_uploads_under_way_take_room(attachment: Attachment) -> None:
    """What was announced, and what came without a word: never ending an upload keeps no more than
    ending it would."""
    announced = {"size_bytes": 40_000_000, "partial": True}
    await attachment.send(b"begun", request_id="one", **announced)
    await attachment.send(bytes(10_000_000), request_id="two", partial=True)
    await attachment.send(b"", request_id="three", expected_bytes=30_000_000, partial=True)
    assert await used(attachment) == 80_000_000
    refused = await refusal(attachment.send(b"", request_id="four", size_bytes=20_000_001))
    assert refused.reason == Reason.REASON_FILE_QUOTA
    grown = attachment.send(bytes(21_000_000), request_id="two", offset=10_000_000, partial=True)
    assert (await refusal(grown)).reason == Reason.REASON_FILE_QUOTA
    assert await used(attachment) == 70_000_000


async def test_what_is_refused_under_way_is_erased(attachment: Attachment) -> None:
    """Nothing of it is kept, and the same id begins anew."""
    program = await asyncio.to_thread(Path(sys.executable).read_bytes)
    wrong = {"sha256": "0" * 64}
    for data, start, reason in (
        (bytes(41_000_000), {}, Reason.REASON_TOO_LARGE),
        (secrets.token_bytes(9_000_000), wrong, Reason.REASON_UPLOAD_DIFFERS),
        (bytes(9_000_000), {"size_bytes": 8_999_999}, Reason.REASON_UPLOAD_DIFFERS),
        (program, {"name": "picture.png"}, Reason.REASON_FILE_TYPE),
    ):
        refused = await refusal(attachment.send(data, request_id="again", **start))
        assert refused.reason == reason
    await until(lambda: objects_are(attachment, 0))
    assert await used(attachment) == 0
    assert (await attachment.send(b"fine", request_id="again")).file.size_bytes == 4


async def test_a_denied_type_is_refused_by_its_beginning(attachment: Attachment) -> None:
    """Nobody sends the rest of it for nothing."""
    program = await asyncio.to_thread(Path(sys.executable).read_bytes)
    begun = attachment.send((program * 10)[:100_000], partial=True, request_id="begun")
    assert (await refusal(begun)).reason == Reason.REASON_FILE_TYPE
    request = contract.GetUploadRequest(request_id="begun")
    refused = await refusal(attachment.stub.GetUpload(request))
    assert refused.reason == Reason.REASON_FILE_NOT_FOUND


async def test_only_so_many_uploads_of_a_user_are_open(attachment: Attachment) -> None:
    """Those that nobody goes on with make room; others can be gone on with."""
    for n in range(20):
        await attachment.send(b"x", request_id=f"open {n}", partial=True)
    refused = await refusal(attachment.send(b"x", request_id="one more"))
    assert (refused.reason, refused.details["limit"]) == (Reason.REASON_UPLOAD_LIMIT, "20")
    connection = await connect_as(
        attachment.wiring.settings, "file_attachment", attachment.somebody.tenant_id
    )
    await connection.execute(
        "UPDATE uploads SET updated_at = updated_at - interval '61 minutes' "
        "WHERE request_id = 'open 3'"
    )
    await connection.close()
    await attachment.send(b"x", request_id="one more")
    assert (await attachment.send(b"x", request_id="open 7", offset=1)).file.size_bytes == 2
    gone = attachment.stub.GetUpload(contract.GetUploadRequest(request_id="open 3"))
    assert (await refusal(gone)).reason == Reason.REASON_FILE_NOT_FOUND


async def test_many_small_calls_leave_few_parts(attachment: Attachment) -> None:
    """And the file is what came."""
    pieces = [secrets.token_bytes(100 + n) for n in range(40)]
    at = 0
    for n, piece in enumerate(pieces):
        last = n + 1 == len(pieces)
        sent = await attachment.send(piece, request_id="small", offset=at, partial=not last)
        at += len(piece)
    assert sent.file.sha256 == hashlib.sha256(b"".join(pieces)).hexdigest()
    assert len(list(attachment.objects())) <= 7
    assert await attachment.download(sent.file.id, for_hooks=True) == b"".join(pieces)


async def test_an_upload_is_given_up(attachment: Attachment) -> None:
    """What came is erased, in earlier calls as well."""
    await attachment.send(b"not ", request_id="up", partial=True)
    start = contract.UploadStart(request_id="up", offset=4)
    given_up = steps(start, b"that", contract.UploadEnd(discard=True))
    assert not (await attachment.stub.Upload(given_up)).HasField("file")
    await until(lambda: objects_are(attachment, 0))
    assert await used(attachment) == 0


async def test_an_upload_goes_on_in_another_process(
    attachment: Attachment, stores: EmbeddedStores
) -> None:
    """Which has seen nothing of what came before."""
    data = secrets.token_bytes(9_000_000)
    await attachment.send(data[:4_000_000], request_id="moved", partial=True)
    settings = settings_for(stores, attachment.wiring.settings.data)
    async with hosting(settings, "file_attachment") as wiring:
        other = Attachment(wiring, attachment.somebody)
        middle = data[4_000_000:5_000_000]
        await other.send(middle, request_id="moved", offset=4_000_000, partial=True)
        rest = await other.send(data[5_000_000:], request_id="moved", offset=5_000_000)
    assert rest.file.sha256 == hashlib.sha256(data).hexdigest()
    assert await attachment.download(rest.file.id, for_hooks=True) == data


async def test_a_call_that_was_overtaken_leaves_nothing_behind(attachment: Attachment) -> None:
    """Its last part would else lie behind the erasure for ever."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[contract.UploadRequest]:
        yield contract.UploadRequest(start=contract.UploadStart(request_id="raced"))
        yield contract.UploadRequest(data=b"too late")
        begun.set()
        await go_on.wait()
        yield contract.UploadRequest(end=contract.UploadEnd())

    late = asyncio.ensure_future(refusal(attachment.stub.Upload(slow())))
    await begun.wait()
    await until(lambda: received(attachment, "raced", 0))
    done = await attachment.send(b"first", request_id="raced")
    await attachment.stub.DeleteFile(contract.DeleteFileRequest(file_id=done.file.id))
    await until(lambda: objects_are(attachment, 0))
    go_on.set()
    assert (await late).reason == Reason.REASON_UPLOAD_OFFSET
    assert await objects_are(attachment, 0)


async def test_a_png_that_is_html_is_html(attachment: Attachment) -> None:
    """The name decides nothing."""
    page = b"<!doctype html><html><body><script>alert(1)</script>hello</body></html>" * 5
    assert (await attachment.upload(page, "cat.png")).content_type == "text/html"


async def test_other_bytes_than_announced_are_refused(attachment: Attachment) -> None:
    """By size and by digest."""
    short = await refusal(attachment.send(b"abc", size_bytes=5))
    assert (short.reason, short.details["offset"]) == (Reason.REASON_UPLOAD_OFFSET, "3")
    more = await refusal(attachment.send(b"abc", size_bytes=2))
    assert more.reason == Reason.REASON_UPLOAD_DIFFERS
    wrong = await refusal(attachment.send(b"abc", sha256="0" * 64))
    assert wrong.reason == Reason.REASON_UPLOAD_DIFFERS


async def test_a_size_that_is_told_later_holds(attachment: Attachment) -> None:
    """As one that is told at once does: for the quota, and for how much has to come."""
    await attachment.send(b"abc", request_id="cut", partial=True)
    too_large = attachment.send(b"", request_id="cut", offset=3, size_bytes=10_000_000_000)
    assert (await refusal(too_large)).reason == Reason.REASON_TOO_LARGE
    too_short = attachment.send(b"", request_id="cut", offset=3, size_bytes=2)
    assert (await refusal(too_short)).reason == Reason.REASON_UPLOAD_DIFFERS
    await attachment.send(b"d", request_id="cut", offset=3, size_bytes=40_000_000, partial=True)
    assert await used(attachment) == 40_000_000
    await attachment.send(b"", request_id="cut", offset=4, size_bytes=5, partial=True)
    progress = await attachment.stub.GetUpload(contract.GetUploadRequest(request_id="cut"))
    assert (progress.received_bytes, progress.size_bytes) == (4, 40_000_000)


async def test_an_upload_ends_with_the_size_that_was_told_later(attachment: Attachment) -> None:
    """Neither before, nor behind."""
    await attachment.send(b"abc", request_id="cut", partial=True)
    await attachment.send(b"d", request_id="cut", offset=3, size_bytes=6, partial=True)
    early = await refusal(attachment.send(b"e", request_id="cut", offset=4))
    assert (early.reason, early.details["offset"]) == (Reason.REASON_UPLOAD_OFFSET, "5")
    done = await attachment.send(b"f", request_id="cut", offset=5)
    assert await attachment.download(done.file.id, for_hooks=True) == b"abcdef"
    await attachment.send(b"abc", request_id="more", partial=True)
    await attachment.send(b"d", request_id="more", offset=3, size_bytes=6, partial=True)
    more = await refusal(attachment.send(b"efg", request_id="more", offset=4))
    assert more.reason == Reason.REASON_UPLOAD_DIFFERS


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [contract.UploadRequest(data=b"x")],
        [
            contract.UploadRequest(start=contract.UploadStart(request_id="a")),
            contract.UploadRequest(start=contract.UploadStart(request_id="a")),
        ],
    ],
)
async def test_steps_out_of_order_are_refused(
    attachment: Attachment, messages: list[contract.UploadRequest]
) -> None:
    async def all_of_them() -> AsyncIterator[contract.UploadRequest]:
        for message in messages:
            yield message

    refused = await refusal(attachment.stub.Upload(all_of_them()))
    assert refused.reason == Reason.REASON_FIELD_INVALID


async def test_what_fails_behind_the_first_bytes_is_told_as_it_was(attachment: Attachment) -> None:
    """To whoever sends, who goes on; and half a file is none."""
    start = contract.UploadStart(request_id=new_id("up"))

    async def breaks() -> AsyncIterator[contract.UploadRequest]:
        yield contract.UploadRequest(start=start)
        yield contract.UploadRequest(data=b"half")
        raise JobFailed(Why.OUTPUT)

    with pytest.raises(JobFailed):
        await send(attachment.stub.Upload, breaks())
    got = await attachment.stub.GetUpload(contract.GetUploadRequest(request_id=start.request_id))
    assert not got.HasField("file")


async def test_bytes_that_were_lost_come_again_for_all_files_that_have_them(
    attachment: Attachment,
) -> None:
    """After a disk that failed, say: what is uploaded again is not thrown away for them."""
    data = secrets.token_bytes(5 * 2**20)
    lost = await attachment.ready(data)
    for each in list(attachment.objects()):
        each.unlink()
    assert (await refusal(attachment.download(lost.id))).reason == Reason.REASON_FILE_NOT_FOUND
    again = await attachment.ready(data)
    assert await attachment.download(again.id) == data
    assert await attachment.download(lost.id) == data
    for file in (lost, again):
        await attachment.stub.DeleteFile(contract.DeleteFileRequest(file_id=file.id))
    await until(lambda: objects_are(attachment, 0))
