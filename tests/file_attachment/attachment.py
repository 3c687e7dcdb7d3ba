"""A file attachment server in the hands of a user."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from kari.conversation_models.v1.file_pb2 import File, FileState
from kari.file_attachment.v1 import file_attachment_pb2 as contract
from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceStub
from servers.runtime.channels import Channels
from servers.runtime.durations import duration
from servers.runtime.ids import new_id
from servers.wiring import Wiring, contract_of
from tests.hosting import Somebody

STEP = 1024 * 1024


class Attachment:
    """Its stub as the hooks' server has it, and its folder behind its back."""

    def __init__(self, wiring: Wiring, somebody: Somebody) -> None:
        self.wiring = wiring
        self.somebody = somebody
        channels = Channels(
            "hook_enabled_file",
            frozenset({"file_attachment"}),
            wiring.address_of,
            wiring.mesh_key,
        )
        self.stub = FileAttachmentServiceStub(
            channels.to("file_attachment", contract_of("file_attachment"))
        )

    async def upload(self, data: bytes, name: str = "notes.txt", **start: object) -> File:
        """Takes a file in at once."""
        return (await self.send(data, name=name, **start)).file

    async def send(
        self, data: bytes, *, partial: bool = False, **start: object
    ) -> contract.UploadResponse:
        """One call of an upload."""
        beginning = contract.UploadStart(**{"request_id": new_id("up"), **start})
        whole = steps(beginning, data, contract.UploadEnd(partial=partial))
        response: contract.UploadResponse = await self.stub.Upload(whole)
        return response

    async def ready(self, data: bytes, name: str = "notes.txt", **start: object) -> File:
        """A file that the hooks let through."""
        file = await self.upload(data, name, **start)
        return await self.settle(file.id, FileState.FILE_STATE_READY)

    async def settle(self, file_id: str, state: FileState.ValueType, why: str = "") -> File:
        """Has the hooks say what becomes of a file."""
        claimed = await self.claim(file_id)
        recorded = await self.stub.RecordHooks(
            contract.RecordHooksRequest(
                file_id=file_id, claim=claimed.claim, state=state, refused_because=why, done=True
            )
        )
        return recorded.file

    async def claim(
        self, file_id: str, seconds: float = 60, owner: str = "tests"
    ) -> contract.ClaimedFile:
        """Claims a file for the hooks."""
        request = contract.ClaimFilesRequest(
            owner=owner, duration=duration(seconds), file_id=file_id
        )
        (claimed,) = (await self.stub.ClaimFiles(request)).files
        return claimed

    async def download(self, file_id: str, **request: object) -> bytes:
        """Bytes of a file."""
        call = self.stub.Download(contract.DownloadRequest(file_id=file_id, **request))
        return b"".join([step.data async for step in call])

    def objects(self) -> Iterator[Path]:
        """What lies in the tenant's folder."""
        folder = self.wiring.settings.data / "objects" / self.somebody.tenant_id
        return (path for path in folder.rglob("*") if path.is_file())


async def steps(
    start: contract.UploadStart, data: bytes, end: contract.UploadEnd | None
) -> AsyncIterator[contract.UploadRequest]:
    """The steps of a call of an upload; without an end it is cut."""
    yield contract.UploadRequest(start=start)
    for at in range(0, len(data), STEP):
        yield contract.UploadRequest(data=data[at : at + STEP])
    if end is not None:
        yield contract.UploadRequest(end=end)
