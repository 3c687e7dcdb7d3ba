"""Who runs the hooks of a file: taken up, put down, lost, and given up."""

import asyncio
import itertools
import secrets
from collections.abc import Sequence

import grpc
import pytest

from kari.conversation_models.v1.audit_pb2 import AuditEntry
from kari.conversation_models.v1.file_pb2 import FileState, HookKind, HookReport
from kari.file_attachment.v1 import file_attachment_pb2 as kept
from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceStub
from servers.hook_enabled_file.claims import Claims
from servers.hook_enabled_file.hooks import ENRICH, GUARD, PASSED, Outcome
from servers.hook_enabled_file.plan import MOST_IN_VAIN
from servers.hook_enabled_file.trying import Trying
from servers.runtime.audit_trail import AuditTrail
from tests.file_attachment.attachment import Attachment
from tests.hook_enabled_file.intake import Intake, report, verdicts
from tests.hook_enabled_file.odd_hooks import Odd, Waiting, claim, pipeline
from tests.hosting import connect_as, until

READY, REFUSED = FileState.FILE_STATE_READY, FileState.FILE_STATE_REFUSED


async def test_a_file_that_somebody_put_down_is_taken_up(intake: Intake) -> None:
    """What was said of it stays; what was not finished is done again."""
    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, b"put down", seconds=1)
    done = HookReport(hook="scan", kind=GUARD, verdict=PASSED, explanation="seen by another")
    running = HookReport(hook="archives", kind=GUARD, verdict=1)
    await attachment.stub.RecordHooks(
        kept.RecordHooksRequest(
            file_id=claimed.file.id, claim=claimed.claim, reports=[done, running]
        )
    )
    file = await intake.done(claimed.file)
    assert file.state == READY
    assert report(file, "scan").explanation == "seen by another"
    assert verdicts(file)["archives"] == "passed"
    assert await intake.pieces(file)


async def test_whoever_lost_a_claim_stops(intake: Intake) -> None:
    """What it says does not count any more."""
    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, b"lost", seconds=0.05)
    file = await intake.done(claimed.file)  # by the server, which took it over
    with pytest.raises(grpc.aio.AioRpcError):
        await pipeline(intake, [Odd([Outcome(verdict=3)])]).run(claimed)
    assert file.state == READY


@pytest.mark.parametrize(("kind", "state"), [(GUARD, REFUSED), (ENRICH, READY)])
async def test_a_hook_that_ends_process_after_process_is_given_up(
    intake: Intake, kind: HookKind.ValueType, state: FileState.ValueType
) -> None:
    """It has failed, and that is on record; hooks behind a guard are not reached, others are."""
    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, b"poison")
    running = HookReport(hook="odd", kind=kind, verdict=1)
    claimed.file.reports.append(running)
    claimed.claims_in_vain = MOST_IN_VAIN
    kept_entries: list[AuditEntry] = []

    async def append(entries: Sequence[AuditEntry]) -> None:
        kept_entries.extend(entries)

    trail, fatal, next_one = AuditTrail(append), Odd(kind=kind), Odd(kind=ENRICH, name="next one")
    await pipeline(intake, [fatal, next_one], trail).run(claimed)
    await trail.flush()
    file = await intake.done(claimed.file)
    assert (file.state, verdicts(file)["odd"]) == (state, "failed")
    assert (fatal.looked_at, len(next_one.looked_at)) == ([], int(kind == ENRICH))
    assert kept_entries[0].details["verdict"] == "failed"


async def test_a_hook_is_tried_as_long_as_it_may_be_innocent(intake: Intake) -> None:
    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, b"innocent")
    claimed.file.reports.append(HookReport(hook="odd", kind=GUARD, verdict=1))
    claimed.claims_in_vain = MOST_IN_VAIN - 1
    await pipeline(intake, [Odd()]).run(claimed)
    assert (await intake.done(claimed.file)).state == READY


async def test_only_a_hook_that_looks_is_under_way(intake: Intake) -> None:
    """Not one that waits for what is away: it ends no process."""
    attachment = Attachment(intake.wiring, intake.somebody)
    claimed = await claim(attachment, b"look")
    looks, back = Odd([asyncio.Event()], name="looks"), Waiting(name="waits")
    running = asyncio.create_task(
        pipeline(intake, [looks, back], trying=Trying(lambda _: itertools.repeat(0.05))).run(
            claimed
        )
    )

    async def is_under_way(name: str) -> bool | None:
        """As it is kept, once the hook with this name has begun."""
        connection = await connect_as(
            intake.wiring.settings, "file_attachment", intake.somebody.tenant_id
        )
        try:
            row = await connection.fetchrow("SELECT * FROM files WHERE id = $1", claimed.file.id)
        finally:
            await connection.close()
        begun = [HookReport.FromString(each) for each in row["reports"]]
        return row["under_way"] if begun and begun[-1].hook == name else None

    async def looks_now() -> bool:
        return await is_under_way("looks") is True

    async def waits_now() -> bool:
        return await is_under_way("waits") is False

    await until(looks_now)
    looks.does[0].set()
    await until(waits_now)
    back.back.set()
    await running


async def test_an_orderly_end_puts_files_down(intake: Intake) -> None:
    """The next process goes on at once, and no hook is blamed for it."""
    attachment = Attachment(intake.wiring, intake.somebody)
    stub = FileAttachmentServiceStub(intake.wiring.channel("hook_enabled_file", "file_attachment"))
    hook = Odd([asyncio.Event()])
    claims = Claims(stub, pipeline(intake, [hook]), intake.wiring.mesh_key)

    async def looks_at_one() -> str:
        file = await attachment.upload(secrets.token_bytes(9))
        claims.soon(file.id)
        for _ in range(20):
            if hook.looked_at:
                return file.id
            await asyncio.sleep(0.05)
        return ""  # the server was first

    file_id = await until(looks_at_one)
    await claims.drain()
    claims.soon((await attachment.upload(b"too late")).id)
    await asyncio.sleep(0)
    claimed = await attachment.claim(file_id)
    assert (claimed.claims_in_vain, claimed.file.reports[0].verdict) == (0, 1)
    assert hook.looked_at == [file_id]
