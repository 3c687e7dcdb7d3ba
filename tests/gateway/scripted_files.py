"""Files of the scripted hub, in memory. The text `virus` is refused."""

# ruff: noqa: N802  # rpc methods are named as the contract names them

import asyncio
import hashlib
import mimetypes
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from kari.chat_hub.v1 import chat_hub_pb2 as hub
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceServicer
from kari.conversation_models.v1.file_pb2 import File, FileState, HookReport
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import principal
from servers.runtime.errors import Conflict, InvalidRequest, NotFound, Unavailable
from servers.runtime.grpc_types import Context
from servers.runtime.ids import new_id

LARGEST = 100_000_000


@dataclass
class Upload:
    """What has come of one."""

    start: hub.UploadFileStart
    data: bytearray = field(default_factory=bytearray)
    file: File | None = None


class ScriptedFiles(ChatHubServiceServicer):
    """The rpcs of files."""

    def __init__(self) -> None:
        self.uploads: dict[str, Upload] = {}
        self.files: dict[str, tuple[File, bytes]] = {}
        self.looked_at = asyncio.Event()
        self.under_way: list[HookReport] = []
        self.said: list[HookReport] = []
        self.cut_at = 0
        """After so many bytes an upload is cut, once."""
        self.stays_away = False
        """From that cut on, until this is false again, nothing of uploads answers."""

    async def UploadFile(
        self, request_iterator: AsyncIterator[hub.UploadFileRequest], context: Context
    ) -> hub.UploadFileResponse:
        """Keeps what comes; a call without an end finishes nothing."""
        start = (await anext(request_iterator, hub.UploadFileRequest())).start
        self._require_here()
        if max(start.size_bytes, start.expected_bytes) > LARGEST:
            raise InvalidRequest(Reason.REASON_TOO_LARGE, "the file is too large")
        upload = self.uploads.setdefault(start.request_id, Upload(start))
        upload.start.size_bytes = upload.start.size_bytes or start.size_bytes
        if start.offset != len(upload.data):
            raise _elsewhere(upload)
        async for step in request_iterator:
            upload.data += step.data
            if self.cut_at and len(upload.data) >= self.cut_at:
                self.cut_at = 0
                raise _away()
            if step.end.discard:
                del self.uploads[start.request_id]
                return hub.UploadFileResponse()
            if step.HasField("end"):
                return self._ended(upload, step.end)
        raise _elsewhere(upload)

    def _ended(self, upload: Upload, end: hub.UploadFileEnd) -> hub.UploadFileResponse:
        received = len(upload.data)
        if end.partial:
            return hub.UploadFileResponse(received_bytes=received)
        name, data = upload.start.name, bytes(upload.data)
        upload.file = upload.file or self.keep(name, data, _type_of(name))
        return hub.UploadFileResponse(file=upload.file, received_bytes=received)

    def keep(self, name: str, data: bytes, content_type: str = "text/plain") -> File:
        """A file of the caller, or of Ada."""
        refused = data == b"virus"
        state = FileState.FILE_STATE_REFUSED if refused else FileState.FILE_STATE_READY
        file = File(
            id=new_id("file"),
            name=name,
            content_type=content_type,
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            state=state,
            refused_because="it is a virus" if refused else "",
        )
        file.created_at.GetCurrentTime()
        self.files[file.id] = (file, data)
        return file

    async def GetUpload(
        self, request: hub.GetUploadRequest, context: Context
    ) -> hub.GetUploadResponse:
        """How far one is."""
        self._require_here()
        upload = self.uploads.get(request.request_id)
        if upload is None:
            raise _unknown()
        return hub.GetUploadResponse(
            received_bytes=len(upload.data),
            size_bytes=upload.start.size_bytes,
            file=upload.file,
        )

    async def DownloadFile(
        self, request: hub.DownloadFileRequest, context: Context
    ) -> AsyncIterator[hub.DownloadFileResponse]:
        """In small pieces."""
        file, data = self._file(request.file_id)
        if file.state != FileState.FILE_STATE_READY:
            raise Conflict(Reason.REASON_FILE_REFUSED, file.refused_because)
        yield hub.DownloadFileResponse(file=file)
        wanted = data[request.offset :][: request.length or None]
        for at in range(0, len(wanted), 1000):
            yield hub.DownloadFileResponse(data=wanted[at : at + 1000])

    async def GetFile(self, request: hub.GetFileRequest, context: Context) -> hub.GetFileResponse:
        """One."""
        return hub.GetFileResponse(file=self._file(request.file_id)[0])

    async def ListFiles(
        self, request: hub.ListFilesRequest, context: Context
    ) -> hub.ListFilesResponse:
        """All."""
        files = [file for file, _ in self.files.values()]
        return hub.ListFilesResponse(files=files[::-1], used_bytes=1, quota_bytes=2)

    async def DeleteFile(
        self, request: hub.DeleteFileRequest, context: Context
    ) -> hub.DeleteFileResponse:
        """Gone."""
        self._file(request.file_id)
        del self.files[request.file_id]
        return hub.DeleteFileResponse(erased=True)

    async def FollowFile(
        self, request: hub.FollowFileRequest, context: Context
    ) -> AsyncIterator[hub.FollowFileResponse]:
        """In quarantine until it was looked at."""
        principal()
        file = File()
        file.CopyFrom(self._file(request.file_id)[0])
        settled, file.state = file.state, FileState.FILE_STATE_QUARANTINED
        file.reports.extend(self.under_way)
        yield hub.FollowFileResponse(file=file)
        await self.looked_at.wait()
        file.state = settled
        del file.reports[:]
        file.reports.extend(self.said)
        yield hub.FollowFileResponse(file=file, done=True)

    def _require_here(self) -> None:
        if self.stays_away and not self.cut_at:
            raise _away()

    def _file(self, file_id: str) -> tuple[File, bytes]:
        if file_id not in self.files:
            raise _unknown()
        return self.files[file_id]


def _type_of(name: str) -> str:
    guessed = mimetypes.guess_type(name)[0] or ""
    return guessed if guessed.startswith("image/") else "text/plain"


def _away() -> Unavailable:
    return Unavailable(Reason.REASON_STORE_UNAVAILABLE, "the disk is away")


def _unknown() -> NotFound:
    return NotFound(Reason.REASON_FILE_NOT_FOUND, "there is no such file")


def _elsewhere(upload: Upload) -> Conflict:
    return Conflict(
        Reason.REASON_UPLOAD_OFFSET,
        f"{len(upload.data)} bytes are here: go on from there",
        offset=len(upload.data),
    )
