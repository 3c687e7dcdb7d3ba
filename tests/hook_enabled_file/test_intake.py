"""Files on their way in: through the hooks, to whoever may read them."""

import asyncio

import pytest

from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome
from kari.conversation_models.v1.file_pb2 import FileState, HookVerdict
from kari.errors.v1.errors_pb2 import Reason
from kari.hook_enabled_file.v1 import hook_enabled_file_pb2 as contract
from servers.runtime.ids import new_id
from tests.hook_enabled_file import samples
from tests.hook_enabled_file.intake import Intake, report, verdicts
from tests.hosting import Somebody, until
from tests.production_memory.memory import refusal

READY, REFUSED = FileState.FILE_STATE_READY, FileState.FILE_STATE_REFUSED
QUARANTINED = FileState.FILE_STATE_QUARANTINED
SKIPPED = HookVerdict.HOOK_VERDICT_SKIPPED


async def test_a_document_is_read_summarized_and_indexed(intake: Intake) -> None:
    """With the pages where its text stands; whoever follows it sees every step."""
    text = "The engine weaves algebraic patterns just as the loom weaves flowers and leaves."
    file = await intake.upload(samples.pdf([text, "Nothing else."], info="Notes"), "notes.pdf")
    assert file.state == QUARANTINED
    *_, done = story = await intake.story(file)
    assert done.state == READY
    said = verdicts(done)
    ran = ["scan", "archives", "text", "index", "summary", "marks"]
    assert [hook for hook, verdict in said.items() if verdict == "passed"] == ran
    assert {verdict for hook, verdict in said.items() if hook not in ran} == {"skipped"}
    assert (done.metadata["pages"], done.metadata["title"]) == (2, "Notes")
    assert "engine" in done.summary
    pieces = await intake.pieces(file)
    assert [(p.text, p.anchor.page) for p in pieces] == [(text, 1), ("Nothing else.", 2)]
    assert done.chunks == 2
    ready = next(step for step in story if step.state == READY)
    assert not ready.chunks


async def test_a_virus_is_refused_and_on_record(intake: Intake) -> None:
    """Nobody reads it, not even its owner; what followed was not run."""
    file = await intake.take(b"before " + samples.EICAR + b" behind", "innocent.txt")
    assert file.state == REFUSED
    assert "EICAR" in file.refused_because
    assert verdicts(file)["scan"] == "refused"
    assert verdicts(file)["index"] == "skipped"
    refused = await refusal(intake.download(file))
    assert refused.reason == Reason.REASON_FILE_REFUSED
    (entry,) = [e for e in await intake.audited(file) if e.details["hook"] == "scan"]
    assert entry.outcome == AuditOutcome.AUDIT_OUTCOME_REFUSED
    assert (entry.user_id, entry.tenant_id) == (intake.somebody.user_id, intake.somebody.tenant_id)
    assert entry.details["rules"] == "eicar_test_file"


async def test_every_hook_is_on_record(intake: Intake) -> None:
    """Those that had nothing to do together."""
    file = await intake.take(b"just words")

    async def recorded() -> set[str]:
        return {entry.details["hook"] for entry in await intake.audited(file)}

    async def skipped() -> list[AuditEntry]:
        return await intake.audited(file, "file.hooks_skipped")

    ran = {hook for hook, verdict in verdicts(file).items() if verdict != "skipped"}
    assert {"scan", "text", "index"} <= ran
    await until(lambda: _same(recorded, ran))
    (entry,) = await until(skipped)
    assert entry.details["hooks"].startswith("policy, strip_metadata")
    assert "it was not asked for" in entry.details["why"]


async def _same(recorded: object, ran: set[str]) -> bool:
    found: set[str] = await recorded()  # type: ignore[operator]  # a coroutine function
    return found == ran


async def test_a_picture_is_read_by_multimedia(intake: Intake) -> None:
    """What it could not do is told."""
    file = await intake.take(samples.picture(), "sign.png")
    assert verdicts(file)["text"] == "partial"
    explanation = report(file, "text").explanation
    assert explanation == "one word was not read; no caption: nobody answers"
    assert file.metadata["width"] == 40
    assert "open at nine" in (await intake.pieces(file))[0].text


async def test_a_file_is_what_its_content_says(intake: Intake) -> None:
    """A picture by its name that is a page."""
    file = await intake.take(samples.HTML, "photo.png")
    assert file.content_type == "text/html"
    assert "Heading" in (await intake.pieces(file))[0].text
    assert "steal" not in str(await intake.pieces(file))


async def test_metadata_are_taken_out_on_request(intake: Intake) -> None:
    """Of the file that is kept, before anybody can read it."""
    picture = samples.picture("JPEG", exif=True)
    assert b"Secret" in picture
    file = await intake.take(picture, "me.jpg", strip_metadata=True)
    assert verdicts(file)["strip_metadata"] == "passed"
    bare = await intake.download(file)
    assert b"Secret" not in bare
    assert (file.size_bytes, bare[:2]) == (len(bare), b"\xff\xd8")
    files = (await intake.stub.ListFiles(contract.ListFilesRequest())).files
    assert [f.id for f in files] == [file.id]


async def test_what_cannot_be_taken_out_is_told(intake: Intake) -> None:
    file = await intake.take(b"only words", strip_metadata=True)
    assert verdicts(file)["strip_metadata"] == "skipped"
    assert "text/plain" in report(file, "strip_metadata").explanation
    paper = await intake.take(samples.pdf(["A"], info="T"), strip_metadata=True)
    assert verdicts(paper)["strip_metadata"] == "partial"
    assert b"Ada Secret" not in await intake.download(paper)


async def test_a_broken_document_is_marked_and_can_be_read(intake: Intake) -> None:
    """By whoever has something that mends it."""
    file = await intake.take(b"%PDF-1.7\n" + bytes(500), "broken.pdf")
    assert file.state == READY
    assert verdicts(file)["text"] == "failed"
    assert report(file, "text").explanation == "the PDF is broken: it cannot be opened"
    assert not file.chunks


async def test_what_cannot_be_read_is_tried_and_told_once(intake: Intake) -> None:
    """Trying may take as long as it may."""
    file = await intake.take(b"%PDF-1.7\n" + bytes(500), "broken.pdf")
    for hook in ("summary", "index"):
        told = report(file, hook)
        assert (told.verdict, told.explanation) == (SKIPPED, "its text could not be read")


async def test_pages_beyond_the_bound_are_told(intake: Intake) -> None:
    """Of 5,000 the first are read."""
    file = await intake.take(samples.pdf([f"page {n}" for n in range(5000)]), "long.pdf")
    assert verdicts(file)["text"] == "partial"
    assert "pages 301 to 5000 were not read" in report(file, "text").explanation
    assert file.chunks == 300


async def test_an_empty_file_goes_through(intake: Intake) -> None:
    file = await intake.take(b"", "empty")
    assert file.state == READY
    assert verdicts(file)["index"] == "skipped"


@pytest.mark.parametrize(
    "data",
    [b"", b"%PDF-1.7\n" + bytes(500), bytes(range(256)) * 9],
    ids=["empty", "broken", "no reader"],
)
async def test_that_a_file_has_no_text_is_known(intake: Intake, data: bytes) -> None:
    """No message waits for it."""
    text = await intake.text(await intake.take(data, "a"))
    assert (text.indexed, text.total) == (True, 0)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("../../etc/passwd", "passwd"), ("a\nb\u202egpj.exe", "a bgpj.exe"), ("x" * 4096, "x" * 200)],
)
async def test_hostile_names_harm_no_hook(intake: Intake, name: str, shown: str) -> None:
    file = await intake.take(b"harmless words", name)
    assert (file.name, file.state, file.chunks) == (shown, READY, 1)


async def test_two_uploads_of_the_same_bytes_are_two_files(intake: Intake) -> None:
    """Each goes through the hooks, and has its text."""
    files = await asyncio.gather(*(intake.take(b"the same words") for _ in range(2)))
    assert len({file.id for file in files}) == 2
    for file in files:
        assert [piece.text for piece in await intake.pieces(file)] == ["the same words"]


async def test_a_part_of_a_file_is_passed_on(intake: Intake) -> None:
    """One outside of it is refused, with its size."""
    file = await intake.take(b"0123456789")
    call = intake.stub.Download(contract.DownloadRequest(file_id=file.id, offset=3, length=4))
    assert b"".join([step.data async for step in call]) == b"3456"
    outside = intake.stub.Download(contract.DownloadRequest(file_id=file.id, offset=99))
    refused = await refusal(anext(aiter(outside)))
    assert (refused.reason, refused.details["size"]) == (Reason.REASON_FILE_RANGE, "10")


async def test_a_file_of_a_message_is_found_in_its_conversation(intake: Intake) -> None:
    file, conversation_id = await intake.take(b"for all of us"), new_id("conv")
    request = contract.AttachFilesRequest(file_ids=[file.id], conversation_id=conversation_id)
    await intake.stub.AttachFiles(request)
    request.message_id = new_id("msg")
    response = await intake.stub.AttachFiles(request)
    assert response.files[0].conversation_ids == [conversation_id]
    colleague = Intake(intake.wiring, Somebody(tenant_id=intake.somebody.tenant_id))
    with colleague.somebody.acts(colleague.wiring):
        assert not await colleague.pieces(file)
        assert [p.text for p in await colleague.pieces(file, conversation_id)] == ["for all of us"]


async def test_deleting_a_file_drops_its_text(intake: Intake) -> None:
    file = await intake.take(b"forget me")
    assert await intake.pieces(file)
    deleted = await intake.stub.DeleteFile(contract.DeleteFileRequest(file_id=file.id))
    assert deleted.erased
    assert not await intake.pieces(file)
    refused = await refusal(intake.stub.GetFile(contract.GetFileRequest(file_id=file.id)))
    assert refused.reason == Reason.REASON_FILE_NOT_FOUND


async def test_files_of_others_are_not_there(intake: Intake) -> None:
    """To be read, followed or deleted; their text is not dropped."""
    file = await intake.take(b"mine")
    stranger = Intake(intake.wiring)
    with stranger.somebody.acts(stranger.wiring):
        for call in (
            stranger.download(file),
            stranger.story(file),
            stranger.stub.GetFile(contract.GetFileRequest(file_id=file.id)),
            stranger.stub.DeleteFile(contract.DeleteFileRequest(file_id=file.id)),
        ):
            assert (await refusal(call)).reason == Reason.REASON_FILE_NOT_FOUND
    assert await intake.pieces(file)


async def test_readers_of_pictures_are_listed(intake: Intake) -> None:
    """As multimedia says."""
    (reader,) = (await intake.stub.ListReaders(contract.ListReadersRequest())).readers
    assert (reader.name, reader.unavailable_because) == ("caption", "no model sees")


async def test_the_hooks_are_listed_in_their_order(intake: Intake) -> None:
    hooks = (await intake.stub.ListHooks(contract.ListHooksRequest())).hooks
    assert [hook.name for hook in hooks][:4] == ["scan", "archives", "policy", "strip_metadata"]
    assert all(hook.available and hook.description for hook in hooks[:4])
