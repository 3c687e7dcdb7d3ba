"""The way in for files, in the hands of a user."""

import asyncio
from collections.abc import AsyncIterator

from kari.audit.v1 import audit_pb2 as trail
from kari.audit.v1.audit_pb2_grpc import AuditServiceStub
from kari.conversation_models.v1.audit_pb2 import AuditEntry
from kari.conversation_models.v1.file_pb2 import File, HookReport, HookVerdict, TextChunk
from kari.hook_enabled_file.v1 import hook_enabled_file_pb2 as contract
from kari.hook_enabled_file.v1.hook_enabled_file_pb2_grpc import HookEnabledFileServiceStub
from kari.production_memory.v1.production_memory_pb2 import (
    GetFileChunksRequest,
    GetFileChunksResponse,
)
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.runtime.call import Call, acting
from servers.runtime.channels import Channels
from servers.runtime.ids import new_correlation_id, new_id
from servers.runtime.names import short
from servers.wiring import Wiring, contract_of
from tests.hosting import Somebody

STEP = 1024 * 1024


class Intake:
    """Its stub as the hub has it, and what its peers keep behind its back."""

    def __init__(self, wiring: Wiring, somebody: Somebody | None = None) -> None:
        self.wiring = wiring
        self.somebody = somebody or Somebody()
        channels = Channels(
            "chat_hub", frozenset({"hook_enabled_file"}), wiring.address_of, wiring.mesh_key
        )
        self.stub = HookEnabledFileServiceStub(
            channels.to("hook_enabled_file", contract_of("hook_enabled_file"))
        )

    async def upload(self, data: bytes, name: str = "notes.txt", **start: object) -> File:
        """Takes a file in at once; its hooks run then."""
        beginning = contract.UploadStart(**{"request_id": new_id("up"), "name": name, **start})
        call = self.stub.Upload(steps(beginning, data, contract.UploadEnd()))
        return (await call).file

    async def done(self, file: File) -> File:
        """The file when its hooks are."""
        return (await self.story(file))[-1]

    async def take(self, data: bytes, name: str = "notes.txt", **start: object) -> File:
        """Takes a file in, and sees it through its hooks."""
        return await self.done(await self.upload(data, name, **start))

    async def story(self, file: File) -> list[File]:
        """How a file went through its hooks."""
        async with asyncio.timeout(60):
            call = self.stub.FollowFile(contract.FollowFileRequest(file_id=file.id))
            steps = [step async for step in call]
        assert [step.done for step in steps] == [False] * (len(steps) - 1) + [True]
        return [step.file for step in steps]

    async def download(self, file: File) -> bytes:
        """Its bytes."""
        call = self.stub.Download(contract.DownloadRequest(file_id=file.id))
        return b"".join([step.data async for step in call])

    async def pieces(self, file: File, conversation_id: str = "") -> list[TextChunk]:
        """The text of a file as production memory has it, for the user of now."""
        return list((await self.text(file, conversation_id)).chunks)

    async def text(self, file: File, conversation_id: str = "") -> GetFileChunksResponse:
        """The same, with what is known of it besides."""
        stub = ProductionMemoryServiceStub(
            self.wiring.channel("hook_enabled_file", "production_memory")
        )
        request = GetFileChunksRequest(file_id=file.id, conversation_id=conversation_id, limit=200)
        response: GetFileChunksResponse = await stub.GetFileChunks(request)
        return response

    async def audited(self, file: File, action: str = "file.hook") -> list[AuditEntry]:
        """What the trail has of the hooks of a file."""
        stub = AuditServiceStub(self.wiring.channel("hook_enabled_file", "audit"))
        found, after = list[AuditEntry](), 0
        with acting(Call(new_correlation_id())):
            while True:
                request = trail.ListRecordsRequest(after_sequence=after, page_size=200)
                records = (await stub.ListRecords(request)).records
                if not records:
                    break
                after = records[-1].sequence
                found += [r.entry for r in records if r.entry.action == action]
        return [entry for entry in found if entry.resource == file.id]


async def steps(
    start: contract.UploadStart, data: bytes, end: contract.UploadEnd | None
) -> AsyncIterator[contract.UploadRequest]:
    """The steps of a call of an upload; without an end it is cut."""
    yield contract.UploadRequest(start=start)
    for at in range(0, len(data), STEP):
        yield contract.UploadRequest(data=data[at : at + STEP])
    if end is not None:
        yield contract.UploadRequest(end=end)


def report(file: File, hook: str) -> HookReport:
    """What a hook said of a file."""
    return next(report for report in file.reports if report.hook == hook)


def verdicts(file: File) -> dict[str, str]:
    """What all hooks said, in their order."""
    return {report.hook: short(HookVerdict, report.verdict) for report in file.reports}
