"""Files: read, listed, used, deleted, looked at by the hooks."""

import asyncio
import secrets

import asyncpg
import pytest

from embedded.stores import EmbeddedStores
from kari.conversation_models.v1.file_pb2 import FileState, HookReport, HookVerdict
from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1 import file_attachment_pb2 as contract
from servers.runtime.durations import duration
from servers.runtime.ids import new_id
from tests.file_attachment.attachment import Attachment
from tests.file_attachment.test_uploads import objects_are
from tests.hosting import Somebody, until
from tests.production_memory.memory import refusal

READY, REFUSED = FileState.FILE_STATE_READY, FileState.FILE_STATE_REFUSED
RUNNING = HookVerdict.HOOK_VERDICT_RUNNING


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, 0, "0123456789"), (3, 0, "3456789"), (3, 4, "3456"), (8, 100, "89"), (9, 1, "9")],
)
async def test_a_part_of_a_file_is_read(
    attachment: Attachment, offset: int, length: int, expected: str
) -> None:
    """From any byte on; more than there is gives what there is."""
    file = await attachment.ready(b"0123456789")
    got = await attachment.download(file.id, offset=offset, length=length)
    assert got.decode() == expected


async def test_a_range_outside_of_the_file_is_refused(attachment: Attachment) -> None:
    file = await attachment.ready(b"0123456789")
    refused = await refusal(attachment.download(file.id, offset=10))
    assert (refused.reason, refused.details["size"]) == (Reason.REASON_FILE_RANGE, "10")


async def test_nobody_reads_a_file_in_quarantine(attachment: Attachment) -> None:
    """But for the hooks; the error says that it may be read later."""
    file = await attachment.upload(b"suspicious")
    refused = await refusal(attachment.download(file.id))
    assert (refused.reason, refused.retryable) == (Reason.REASON_FILE_NOT_READY, True)


async def test_nobody_reads_a_refused_file(attachment: Attachment) -> None:
    """Not even the hooks any more."""
    file = await attachment.upload(b"a virus")
    await attachment.settle(file.id, REFUSED, "it is a virus")
    for for_hooks in (False, True):
        refused = await refusal(attachment.download(file.id, for_hooks=for_hooks))
        assert refused.reason == Reason.REASON_FILE_REFUSED
        assert "it is a virus" in refused.message


async def test_files_of_others_are_not_there(attachment: Attachment) -> None:
    """Of the same tenant unless they share a conversation, of another never."""
    conversation_id = new_id("conv")
    file = await attachment.ready(b"mine", conversation_id=conversation_id)
    colleague = Attachment(attachment.wiring, Somebody(tenant_id=attachment.somebody.tenant_id))
    with colleague.somebody.acts(colleague.wiring):
        refused = await refusal(colleague.download(file.id))
        assert refused.reason == Reason.REASON_FILE_NOT_FOUND
        assert await colleague.download(file.id, conversation_id=conversation_id) == b"mine"
    stranger = Attachment(attachment.wiring, Somebody())
    with stranger.somebody.acts(stranger.wiring):
        call = stranger.download(file.id, conversation_id=conversation_id)
        assert (await refusal(call)).reason == Reason.REASON_FILE_NOT_FOUND


async def test_files_are_listed_in_pages(attachment: Attachment) -> None:
    """The latest first; the sum tells how much room is taken."""
    ids = [(await attachment.upload(f"{n}".encode() * 10)).id for n in range(5)]
    first = await attachment.stub.ListFiles(contract.ListFilesRequest(page_size=3))
    rest = await attachment.stub.ListFiles(
        contract.ListFilesRequest(page_size=3, page_token=first.next_page_token)
    )
    assert [f.id for f in (*first.files, *rest.files)] == ids[::-1]
    assert (first.used_bytes, first.quota_bytes) == (50, 100_000_000)
    assert rest.next_page_token == ""


async def test_a_file_is_tied_to_messages(attachment: Attachment) -> None:
    """Its conversation's files have it then; only its owner can, and only when it is ready."""
    file, conversation_id = await attachment.ready(b"for you"), new_id("conv")
    request = contract.AttachFilesRequest(file_ids=[file.id], conversation_id=conversation_id)
    await attachment.stub.AttachFiles(request)
    of_conversation = contract.ListFilesRequest(conversation_id=conversation_id)
    assert not (await attachment.stub.ListFiles(of_conversation)).files
    request.message_id = new_id("msg")
    await attachment.stub.AttachFiles(request)
    await attachment.stub.AttachFiles(request)
    assert [f.id for f in (await attachment.stub.ListFiles(of_conversation)).files] == [file.id]
    early = await attachment.upload(b"too early")
    request.file_ids[:] = [early.id]
    refused = await refusal(attachment.stub.AttachFiles(request))
    assert refused.reason == Reason.REASON_FILE_NOT_READY


async def test_deleting_the_last_file_erases_the_bytes(attachment: Attachment) -> None:
    """Not before."""
    data = secrets.token_bytes(5000)
    one, two = await attachment.upload(data), await attachment.upload(data)
    gone = await attachment.stub.DeleteFile(contract.DeleteFileRequest(file_id=one.id))
    assert not gone.erased
    assert await attachment.download(two.id, for_hooks=True) == data
    gone = await attachment.stub.DeleteFile(contract.DeleteFileRequest(file_id=two.id))
    assert gone.erased
    await until(lambda: objects_are(attachment, 0))
    refused = await refusal(attachment.stub.GetFile(contract.GetFileRequest(file_id=two.id)))
    assert refused.reason == Reason.REASON_FILE_NOT_FOUND


async def test_uploading_while_the_same_bytes_are_deleted_loses_nothing(
    attachment: Attachment,
) -> None:
    """Whichever comes first, what is there can be read."""
    data = secrets.token_bytes(5000)
    for _ in range(8):
        old = await attachment.upload(data)
        _, new = await asyncio.gather(
            attachment.stub.DeleteFile(contract.DeleteFileRequest(file_id=old.id)),
            attachment.upload(data),
        )
        assert await attachment.download(new.id, for_hooks=True) == data
        await attachment.stub.DeleteFile(contract.DeleteFileRequest(file_id=new.id))


async def test_only_the_owner_deletes(attachment: Attachment) -> None:
    conversation_id = new_id("conv")
    file = await attachment.ready(b"mine", conversation_id=conversation_id)
    other = Attachment(attachment.wiring, Somebody(tenant_id=attachment.somebody.tenant_id))
    with other.somebody.acts(other.wiring):
        request = contract.DeleteFileRequest(file_id=file.id)
        refused = await refusal(other.stub.DeleteFile(request))
    assert refused.reason == Reason.REASON_FILE_NOT_FOUND


async def test_a_claim_that_ran_out_is_given_again(attachment: Attachment) -> None:
    """The one that held it before is refused."""
    file = await attachment.upload(b"look at me")
    first = await attachment.claim(file.id, seconds=0.05)
    second = await until(lambda: claim_or_none(attachment, file.id))
    assert second.claim == first.claim + 1
    late = contract.RecordHooksRequest(file_id=file.id, claim=first.claim, state=READY, done=True)
    assert (await refusal(attachment.stub.RecordHooks(late))).reason == Reason.REASON_LEASE_LOST


async def claim_or_none(
    attachment: Attachment, file_id: str, seconds: float = 60, owner: str = "tests"
) -> contract.ClaimedFile | None:
    """A claim to a file, if it is to be had."""
    try:
        return await attachment.claim(file_id, seconds, owner)
    except ValueError:
        return None


async def test_reports_of_hooks_are_kept_by_hook(attachment: Attachment) -> None:
    """A newer one replaces that of the same hook; what was found out is added."""
    file = await attachment.upload(b"look at me")
    claimed = await attachment.claim(file.id)
    running = HookReport(hook="scan", verdict=HookVerdict.HOOK_VERDICT_RUNNING)
    request = contract.RecordHooksRequest(file_id=file.id, claim=claimed.claim, reports=[running])
    request.metadata["pages"] = 3
    await attachment.stub.RecordHooks(request)
    passed = HookReport(hook="scan", verdict=HookVerdict.HOOK_VERDICT_PASSED)
    text = HookReport(hook="text", verdict=HookVerdict.HOOK_VERDICT_PASSED)
    request = contract.RecordHooksRequest(
        file_id=file.id, claim=claimed.claim, reports=[passed, text], state=READY, done=True
    )
    request.metadata["title"] = "T"
    kept = (await attachment.stub.RecordHooks(request)).file
    assert list(kept.reports) == [passed, text]
    assert dict(kept.metadata.items()) == {"pages": 3.0, "title": "T"}
    assert kept.state == READY


async def test_a_file_gets_the_bytes_of_another_upload(attachment: Attachment) -> None:
    """As when its metadata were taken out: what was there is erased; what came is no file and takes
    no room."""
    file = await attachment.upload(b"with a secret")
    left, cleaned = new_id("up"), new_id("up")
    for request_id in (left, cleaned):
        sent = await attachment.send(b"without", request_id=request_id, replaces_file_id=file.id)
        assert (sent.HasField("file"), sent.received_bytes) == (False, 7)
    listed = await attachment.stub.ListFiles(contract.ListFilesRequest())
    assert ([each.id for each in listed.files], listed.used_bytes) == ([file.id], 13)
    claimed = await attachment.claim(file.id)
    request = contract.RecordHooksRequest(
        file_id=file.id,
        claim=claimed.claim,
        replaced_by_request_id=cleaned,
        state=READY,
        done=True,
    )
    await attachment.stub.RecordHooks(request)
    assert await attachment.download(file.id) == b"without"
    await until(lambda: objects_are(attachment, 1))
    assert (await attachment.stub.ListFiles(contract.ListFilesRequest())).used_bytes == 7


async def test_what_was_to_replace_a_file_goes_with_it(attachment: Attachment) -> None:
    """As when whoever took its metadata out died before it could say so."""
    file = await attachment.upload(b"with a secret")
    await attachment.send(b"without", replaces_file_id=file.id)
    await attachment.send(b"half", replaces_file_id=file.id, partial=True)
    await attachment.stub.DeleteFile(contract.DeleteFileRequest(file_id=file.id))
    await until(lambda: objects_are(attachment, 0))


async def test_only_what_hooks_look_at_is_replaced(attachment: Attachment) -> None:
    """And by nothing but what came for it."""
    done = await attachment.ready(b"done")
    refused = await refusal(attachment.send(b"other", replaces_file_id=done.id))
    assert refused.reason == Reason.REASON_FILE_NOT_FOUND
    file, other = await attachment.upload(b"mine"), new_id("up")
    await attachment.send(b"never looked at", request_id=other)
    claimed = await attachment.claim(file.id)
    request = contract.RecordHooksRequest(
        file_id=file.id, claim=claimed.claim, replaced_by_request_id=other
    )
    refused = await refusal(attachment.stub.RecordHooks(request))
    assert refused.reason == Reason.REASON_FILE_NOT_FOUND


async def test_nobody_is_told_what_colleagues_have(attachment: Attachment) -> None:
    """The same bytes in two hands look like bytes of one's own."""
    data = secrets.token_bytes(1000)
    file = await attachment.upload(data)
    colleague = Attachment(attachment.wiring, Somebody(tenant_id=attachment.somebody.tenant_id))
    with colleague.somebody.acts(colleague.wiring):
        sent = await colleague.send(data)
        assert not sent.deduplicated
        request = contract.DeleteFileRequest(file_id=sent.file.id)
        assert (await colleague.stub.DeleteFile(request)).erased
    assert await attachment.download(file.id, for_hooks=True) == data


async def test_claims_that_ended_with_their_process_are_counted(attachment: Attachment) -> None:
    """Those under a hook: not while it waited, not if it was put down, not by who is still there;
    and not any more once a hook came to its end."""
    file = await attachment.upload(b"poison")

    async def after(owner: str, **said: object) -> int:
        """Claims in vain, when the one of `owner`, who says that last, has run out."""
        claimed = await until(lambda: claim_or_none(attachment, file.id, 0.05, owner))
        request = contract.RecordHooksRequest(file_id=file.id, claim=claimed.claim, **said)
        await attachment.stub.RecordHooks(request)
        return int(claimed.claims_in_vain)

    assert await after("one", under_way=True) == 0
    assert await after("two", under_way=True) == 1
    assert await after("three", under_way=False) == 2
    assert await after("four", under_way=True) == 2
    assert await after("four", under_way=True) == 2
    assert await after("five", under_way=True, put_down=True) == 3
    assert await after("five", under_way=False, in_vain=True) == 3
    assert await after("six", reports=[HookReport(hook="scan", verdict=RUNNING)]) == 4
    passed = HookReport(hook="scan", verdict=HookVerdict.HOOK_VERDICT_PASSED)
    assert await after("seven", under_way=True, reports=[passed]) == 4
    assert await after("eight") == 1


async def test_replicas_share_what_waits(attachment: Attachment) -> None:
    """At the same moment: nobody gets what another has, and nobody goes away empty for it."""
    waiting = {(await attachment.upload(f"of {n}".encode())).id for n in range(12)}
    found: list[str] = []
    while waiting - set(found):
        requests = [
            contract.ClaimFilesRequest(owner=f"replica {n}", duration=duration(60), limit=3)
            for n in range(4)
        ]
        answers = await asyncio.gather(*map(attachment.stub.ClaimFiles, requests))
        found += [claimed.file.id for answer in answers for claimed in answer.files]
    assert len(found) == len(set(found))


async def test_who_puts_a_file_down_holds_up_nobody(attachment: Attachment) -> None:
    """However long the claim was for."""
    file = await attachment.upload(b"next, please")
    claimed = await attachment.claim(file.id, 3600)
    request = contract.RecordHooksRequest(file_id=file.id, claim=claimed.claim, put_down=True)
    await attachment.stub.RecordHooks(request)
    again = await attachment.claim(file.id)
    assert again.claim > claimed.claim
    refused = await refusal(attachment.stub.RecordHooks(request))
    assert refused.reason == Reason.REASON_LEASE_LOST


async def test_files_that_go_in_one_statement_are_counted_once(
    attachment: Attachment, stores: EmbeddedStores
) -> None:
    """The same bytes several times take their room once."""
    for data in (b"twins", b"twins", b"single"):
        await attachment.upload(data)
    empty = contract.ListFilesRequest()
    assert (await attachment.stub.ListFiles(empty)).used_bytes == 11
    owner = await asyncpg.connect(stores.postgres_url)
    try:
        user_id, tenant_id = attachment.somebody.user_id, attachment.somebody.tenant_id
        await owner.execute("SELECT set_config('kari.tenant', $1, false)", tenant_id)
        await owner.execute("DELETE FROM file_attachment.files WHERE user_id = $1", user_id)
    finally:
        await owner.close()
    assert (await attachment.stub.ListFiles(empty)).used_bytes == 0


async def test_tenants_take_turns(attachment: Attachment) -> None:
    """Many files of one do not hold up those of another."""
    for n in range(12):
        await attachment.upload(f"one of many: {n}".encode())
    other = Attachment(attachment.wiring, Somebody())
    with other.somebody.acts(other.wiring):
        late = await other.upload(b"the only one")
    request = contract.ClaimFilesRequest(owner="tests", duration=duration(60), limit=1)
    tenants = []
    while other.somebody.tenant_id not in tenants:
        (claimed,) = (await attachment.stub.ClaimFiles(request)).files
        tenants.append(claimed.tenant_id)
    assert claimed.file.id == late.id
    assert tenants.count(attachment.somebody.tenant_id) <= 1
