"""The pipeline when things go wrong: time, death, what is away; and beside large files."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Sequence
from functools import partial

import asyncpg
import grpc
import pytest
from prometheus_client import REGISTRY

from kari.conversation_models.v1.file_pb2 import File, FileState
from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1 import file_attachment_pb2 as kept
from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceStub
from kari.hook_enabled_file.v1 import hook_enabled_file_pb2 as contract
from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceStub
from servers.hook_enabled_file import hooks
from servers.hook_enabled_file.extracting import Extracting
from servers.hook_enabled_file.following import Following
from servers.hook_enabled_file.hooks import (
    ENRICH,
    FAILED,
    GUARD,
    PARTIAL,
    PASSED,
    Away,
    Busy,
    Outcome,
)
from servers.hook_enabled_file.news import News
from servers.hook_enabled_file.pipeline import Pipeline
from servers.hook_enabled_file.plan import LARGE_BYTES, Queue, queue_of
from servers.hook_enabled_file.text import Text
from servers.hook_enabled_file.trying import WAITS, Trying
from servers.runtime.audit_trail import AuditTrail
from servers.runtime.errors import Internal, Unavailable
from servers.runtime.ids import new_id
from servers.runtime.limited import Room
from tests.file_attachment.attachment import Attachment
from tests.hook_enabled_file import samples
from tests.hook_enabled_file.intake import Intake, steps, verdicts
from tests.hook_enabled_file.odd_hooks import Odd, Waiting, claim, looked, pipeline
from tests.hook_enabled_file.peers import BUSY, LATE, NEVER
from tests.hosting import until
from tests.production_memory.memory import refusal
from tests.stream_processor.conditions import metric

READY, REFUSED = FileState.FILE_STATE_READY, FileState.FILE_STATE_REFUSED
QUARANTINED = FileState.FILE_STATE_QUARANTINED


def deep(levels: int) -> dict[str, object]:
    """Something with so many levels."""
    found: dict[str, object] = {}
    for _ in range(levels):
        found = {"below": found}
    return found


async def test_a_hook_that_takes_too_long_has_failed() -> None:
    outcome = await Trying(lambda _: ()).look(Odd([asyncio.Event()], seconds=0.05), looked())
    assert outcome.verdict == FAILED
    assert "took longer" in outcome.explanation


async def test_a_hook_with_a_defect_has_failed() -> None:
    """Its exception's text is told to nobody."""
    outcome = await Trying(lambda _: ()).look(Odd([ValueError("secret")]), looked())
    assert (outcome.verdict, outcome.explanation) == (FAILED, "odd failed")
    assert outcome.record == {"error": "ValueError"}


async def test_what_is_away_is_tried_again() -> None:
    hook = Odd([Away("it is away"), Away("it is away"), Outcome(PASSED)])
    assert (await Trying(lambda _: (0, 0, 0)).look(hook, looked())).verdict == PASSED
    assert len(hook.looked_at) == 3


async def test_what_takes_minutes_does_not_hold_up_others() -> None:
    """However many there are, and however long: nobody waits behind what is of another kind, and
    those who wait do not keep others from being claimed."""
    never, trying, slow = asyncio.Event(), Trying(lambda _: ()), []
    kinds = [("audio/mpeg", 10), ("image/png", 10), ("", LARGE_BYTES + 1), ("", 10)]
    for kind, size in kinds:
        assert (await trying.look(Odd(), looked(size, kind))).verdict == PASSED
        hooks = [Odd([never]) for _ in range(5)]
        slow += [asyncio.create_task(trying.look(hook, looked(size, kind))) for hook in hooks]
        await until(partial(_some_begun, hooks))
    assert trying.waiting == 9
    never.set()
    await asyncio.gather(*slow)
    assert trying.waiting == 0


async def _some_begun(hooks: Sequence[Odd]) -> bool:
    return sum(len(hook.looked_at) for hook in hooks) > 1


async def test_who_comes_behind_others_has_all_attempts_left() -> None:
    """However often it is told that they are first."""
    busy, told = [Busy("others are first")] * 9, []
    hook, file = Odd([*busy, Away("it is away"), *busy, Outcome(PASSED)]), looked()
    file.tell = told.append
    outcome = await Trying(lambda _: (0,), busy_seconds=0).look(hook, file)
    assert outcome.verdict == PASSED
    assert told[0] == "others are first"


async def test_readers_that_are_busy_are_not_away(intake: Intake, room: Room) -> None:
    """They are asked again for as long as others come first."""
    stub = intake.wiring.stub("hook_enabled_file", "multimedia", MultimediaServiceStub)
    file = looked(content_type="audio/mpeg")
    file.file.id = BUSY
    with pytest.raises(Busy):
        await Extracting(room, stub).of(file)


async def test_a_caption_that_had_no_room_is_asked_for_again(intake: Intake, room: Room) -> None:
    """For itself alone: what was read stays, and is there with it."""
    text, file, told = text_of(intake, room), looked(content_type="image/png"), list[str]()
    file.file.id, file.tell = LATE, told.append
    with pytest.raises(Busy):
        await text.look(file)
    assert queue_of(text, file) is Queue.IMAGES
    outcome = await Trying(lambda _: (), busy_seconds=0).look(text, file)
    assert outcome.metadata["caption"] == "a shop"
    assert outcome.explanation == "one word was not read"
    assert file.extracted is not None
    assert [segment.text[:6] for segment in file.extracted.segments] == ["A sign", "What t"]


async def test_a_caption_that_never_has_room_is_given_up(intake: Intake, room: Room) -> None:
    """After a few times: the text of the picture does not wait for it."""
    file, told = looked(content_type="image/png"), list[str]()
    file.file.id, file.tell = NEVER, told.append
    outcome = await Trying(lambda _: (), busy_seconds=0).look(text_of(intake, room), file)
    assert outcome.verdict == PARTIAL
    assert outcome.explanation == "one word was not read; no caption: still nobody"
    assert [each for each in told if "is asked for again" in each] == [
        "no caption: nobody answers; it is asked for again",
        *["no caption: still nobody; it is asked for again"] * 2,
    ]


def text_of(intake: Intake, room: Room) -> Text:
    """The hook that reads pictures."""
    stub = intake.wiring.stub("hook_enabled_file", "multimedia", MultimediaServiceStub)
    return Text(Extracting(room, stub))


async def test_a_guard_that_fails_closes_a_file(intake: Intake) -> None:
    """One that finds things out marks it."""
    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, b"x")
    await pipeline(intake, [Odd([Away("it is away")])]).run(claimed)
    file = await intake.done(claimed.file)
    assert (file.state, file.refused_because) == (
        REFUSED,
        "it is away; nobody could look at the file in time: upload it again later",
    )
    claimed = await claim(attachment, b"y")
    await pipeline(intake, [Odd([Away("it is away")], kind=ENRICH)]).run(claimed)
    file = await intake.done(claimed.file)
    assert (file.state, verdicts(file)) == (READY, {"odd": "failed"})


async def test_a_file_waits_in_quarantine_for_what_is_away(intake: Intake) -> None:
    """It says so meanwhile, and keeps its claim; then it goes on."""
    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, b"patience")
    back = asyncio.Event()
    hook = Waiting(back=back)
    waiting = pipeline(intake, [hook], trying=Trying(lambda _: itertools.repeat(0.05)))
    running = asyncio.create_task(waiting.run(claimed))

    async def says_so() -> File | None:
        request = kept.GetFileRequest(file_id=claimed.file.id)
        file = (await attachment.stub.GetFile(request)).file
        said = [each.explanation for each in file.reports]
        return file if said == [f"it is away; {WAITS[GUARD]}"] else None

    file = await until(says_so)
    assert (file.state, verdicts(file)) == (QUARANTINED, {"odd": "running"})
    await until(lambda: _waits(waiting))
    back.set()
    await running
    assert (await intake.done(claimed.file)).state == READY


async def _waits(pipeline: Pipeline) -> bool:
    return pipeline.waiting == 1


async def test_a_refusal_that_cannot_be_recorded_leaves_the_file_in_quarantine(
    intake: Intake,
) -> None:
    """It is looked at again when the trail is back."""

    async def away(_: object) -> None:
        raise grpc.aio.AioRpcError(
            grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata()
        )

    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, b"z")
    hook = Odd([Outcome(verdict=3, explanation="no")])
    with pytest.raises(Unavailable):
        await pipeline(intake, [hook], AuditTrail(away)).run(claimed)
    request = kept.GetFileRequest(file_id=claimed.file.id)
    file = (await attachment.stub.GetFile(request)).file
    assert (file.state, file.done) == (QUARANTINED, False)


@pytest.mark.parametrize(
    ("found", "verdict", "told"),
    [
        (Outcome(PASSED, "half \ud83d of it"), "passed", "half ? of it"),
        (Outcome(hooks.REFUSED, "no\0thing"), "refused", "nothing"),
        (Outcome(PASSED, summary="a\0b"), "passed", ""),
        (Outcome(PASSED, metadata={"far": deep(60)}), "failed", "what it found cannot be kept"),
        (Outcome(PASSED, summary="x" * 10_001), "failed", "what it found cannot be kept"),
    ],
    ids=["half a character", "NUL", "NUL in a summary", "deep", "long"],
)
async def test_what_no_store_takes_comes_to_an_end_as_well(
    intake: Intake, found: Outcome, verdict: str, told: str
) -> None:
    """Hooks say what hostile files made them say."""
    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, secrets.token_bytes(9))
    await pipeline(intake, [Odd([found])]).run(claimed)
    file = await intake.done(claimed.file)
    assert verdicts(file) == {"odd": verdict}
    assert file.reports[0].explanation == told


async def test_a_hook_that_a_library_calls_off_is_a_defect(intake: Intake) -> None:
    """And no end: somebody looks at it again, and in the end it is given up."""
    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, b"called off")
    with pytest.raises(Internal):
        await pipeline(intake, [Odd([asyncio.CancelledError()])]).run(claimed)
    request = kept.GetFileRequest(file_id=claimed.file.id)
    assert not (await attachment.stub.GetFile(request)).file.done


async def test_the_work_of_a_hook_outlasts_a_store_that_is_away(intake: Intake) -> None:
    """For as long as the claim holds: it is not done again."""
    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, b"minutes of work")
    hook = Odd([asyncio.Event()])
    running = asyncio.create_task(pipeline(intake, [hook]).run(claimed))
    await until(lambda: _begun(hook))
    late, url = metric("kari_chat_file_hooks_kept_late_total"), intake.wiring.settings.postgres_url
    assert url is not None
    owner = await asyncpg.connect(url.get_secret_value())
    try:
        async with owner.transaction():
            await owner.execute("LOCK TABLE file_attachment.files IN ACCESS EXCLUSIVE MODE")
            hook.does[0].set()
            await until(lambda: _later(late), 30)
    finally:
        await owner.close()
    await running
    assert (await intake.done(claimed.file)).state == READY
    assert len(hook.looked_at) == 1


async def _begun(hook: Odd) -> bool:
    return bool(hook.looked_at)


async def _later(before: float) -> bool:
    return metric("kari_chat_file_hooks_kept_late_total") > before


async def test_a_file_is_followed_from_elsewhere(intake: Intake) -> None:
    """Where the hooks run in another process, nobody tells: it is looked for."""
    stub = FileAttachmentServiceStub(intake.wiring.channel("hook_enabled_file", "file_attachment"))
    file = await intake.upload(b"far away")
    following = Following(stub, News())
    request = contract.FollowFileRequest(file_id=file.id)
    story = [step async for step in following.follow(request)]
    assert story[-1].done
    assert story[-1].file.chunks == 1


async def test_metadata_that_cannot_be_taken_out_close_the_file(intake: Intake) -> None:
    """Who asked for that is not served with a file that has them."""
    broken = samples.picture("JPEG", exif=True)[:-200]
    file = await intake.take(broken, "me.jpg", strip_metadata=True)
    assert verdicts(file)["strip_metadata"] == "failed"
    assert file.state == REFUSED


async def test_a_cut_upload_stays_cut_and_goes_on(intake: Intake) -> None:
    """No hook looks at half a file."""
    data, start = secrets.token_bytes(3_000_000), contract.UploadStart(request_id=new_id("up"))
    refused = await refusal(intake.stub.Upload(steps(start, data[:2_000_000], None)))
    assert (refused.reason, refused.details["offset"]) == (Reason.REASON_UPLOAD_OFFSET, "2000000")
    got = await intake.stub.GetUpload(contract.GetUploadRequest(request_id=start.request_id))
    assert (got.received_bytes, got.HasField("file")) == (2_000_000, False)
    start.offset = got.received_bytes
    rest = steps(start, data[2_000_000:], contract.UploadEnd())
    file = await intake.done((await intake.stub.Upload(rest)).file)
    assert await intake.download(file) == data


async def test_an_upload_that_is_called_off_is_cut_behind_as_well(intake: Intake) -> None:
    """The end of a call is not taken for the end of a file."""
    start = contract.UploadStart(request_id=new_id("up"))

    async def hanging() -> AsyncIterator[contract.UploadRequest]:
        async for step in steps(start, bytes(1000), None):
            yield step
        await asyncio.sleep(60)

    call = intake.stub.Upload(hanging())
    await until(lambda: began(intake, start.request_id))
    call.cancel()
    got = await until(lambda: began(intake, start.request_id, 1000))
    assert not got.HasField("file")


async def test_nobody_asks_for_what_only_servers_may(intake: Intake) -> None:
    """By fields that the contract of users does not have: they do not go on."""
    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, b"in quarantine")
    asked = kept.DownloadRequest(file_id=claimed.file.id, for_hooks=True)
    request = contract.DownloadRequest.FromString(asked.SerializeToString())
    refused = await refusal(anext(aiter(intake.stub.Download(request))))
    assert refused.reason == Reason.REASON_FILE_NOT_READY
    meant = kept.UploadStart(request_id=new_id("up"), replaces_file_id=claimed.file.id)
    start = contract.UploadStart.FromString(meant.SerializeToString())
    sent = await intake.stub.Upload(steps(start, b"clean", contract.UploadEnd()))
    assert sent.HasField("file")


async def began(
    intake: Intake, request_id: str, least: int = 0
) -> contract.GetUploadResponse | None:
    """How far an upload has come, once it is known and has so many bytes."""
    try:
        got = await intake.stub.GetUpload(contract.GetUploadRequest(request_id=request_id))
    except grpc.aio.AioRpcError:
        return None
    return got if got.received_bytes >= least else None


async def test_a_slow_reader_holds_the_reading_back(intake: Intake) -> None:
    """Bytes are not gathered on their way."""
    file = await intake.take(secrets.token_bytes(30_000_000), "noise.bin")
    before = served()
    call = intake.stub.Download(contract.DownloadRequest(file_id=file.id))
    await anext(aiter(call))
    await asyncio.sleep(0.3)
    assert served() - before < 12_000_000
    call.cancel()


def served() -> float:
    """Bytes that file_attachment has read for somebody."""
    return REGISTRY.get_sample_value("kari_chat_file_bytes_served_total") or 0.0


async def test_a_file_may_be_deleted_under_its_hooks(intake: Intake) -> None:
    """Nothing of it is left."""
    file = await intake.upload(samples.pdf([f"page {n}" for n in range(400)]), "long.pdf")
    await intake.stub.DeleteFile(contract.DeleteFileRequest(file_id=file.id))
    await until(idle)
    assert not await intake.pieces(file)


async def idle() -> bool:
    """Whether no file is under way."""
    return REGISTRY.get_sample_value("kari_chat_files_under_way") == 0
