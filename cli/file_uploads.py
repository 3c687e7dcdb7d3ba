"""`kari files upload`: files up, on after a cut, and what the hooks say of them."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from cli.mesh import Mesh
from cli.tool_notes import harmless
from kari.chat_hub.v1.chat_hub_pb2 import (
    FollowFileRequest,
    GetUploadRequest,
    GetUploadResponse,
    UploadFileEnd,
    UploadFileRequest,
    UploadFileStart,
)
from kari.conversation_models.v1.file_pb2 import File, FileState, HookVerdict
from servers.runtime.errors import from_rpc
from servers.runtime.names import short

PIECE_BYTES = 1024 * 1024
MOST_FAILURES = 8
"""In a row, without a byte that got through; together about two minutes."""
LONGEST_PAUSE = 30.0
RUNNING = HookVerdict.HOOK_VERDICT_RUNNING
TOLD = (
    HookVerdict.HOOK_VERDICT_REFUSED,
    HookVerdict.HOOK_VERDICT_FAILED,
    HookVerdict.HOOK_VERDICT_PARTIAL,
)


@dataclass(frozen=True)
class Wanted:
    """A file, and what is wanted of it."""

    path: Path
    conversation_id: str = ""
    strip_metadata: bool = False
    after: str = ""
    """File of the try before, of which nothing came."""

    def start(self, offset: int) -> UploadFileStart:
        """The first step from there on. The same file, unchanged, goes on with the same upload;
        after a try of which nothing came it is another one."""
        path, stat = self.path.resolve(), self.path.stat()
        parts = (path, stat.st_size, stat.st_mtime_ns, self.conversation_id, self.strip_metadata)
        return UploadFileStart(
            request_id=hashlib.sha256(f"{parts!r}{self.after}".encode()).hexdigest(),
            name=self.path.name.encode(errors="replace").decode(),
            size_bytes=stat.st_size,
            offset=offset,
            conversation_id=self.conversation_id,
            strip_metadata=self.strip_metadata,
        )


def bar() -> Progress:
    """How bytes move, on standard error."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, highlight=False),
    )


async def upload_all(mesh: Mesh, wanted: Sequence[Wanted], user: str, tenant: str) -> int:
    """Uploads files one after the other and prints what became of each; the exit code is 1 if one
    was refused."""
    code = 0
    for each in wanted:
        file = await upload(mesh, each, user, tenant)
        sys.stdout.write(f"{file.id}  {harmless(file.name)}  {short(FileState, file.state)}\n")
        code |= int(is_refused(file))
    return code


async def upload(mesh: Mesh, wanted: Wanted, user: str, tenant: str) -> File:
    """A file once it is up and all hooks have looked at it; what they said against it goes to
    standard error."""
    file = await _uploaded(mesh, await _fresh(mesh, wanted), user, tenant)
    await mesh.sign_in(user, tenant)
    file = await _followed(mesh, file)
    for report in file.reports:
        if report.verdict in TOLD:
            verdict = short(HookVerdict, report.verdict)
            sys.stderr.write(f"  {report.hook}: {verdict}: {harmless(report.explanation)}\n")
    return file


def is_refused(file: File) -> bool:
    """Whether nobody may have it."""
    return file.state == FileState.FILE_STATE_REFUSED


async def _fresh(mesh: Mesh, wanted: Wanted) -> Wanted:
    """The first try that is new, under way, or came to a good end: a file that was refused, or of
    which a hook failed, is looked at anew each time it is wanted."""
    while (file := (await _progress(mesh, wanted)).file).id and _in_vain(file):
        wanted = replace(wanted, after=file.id)
    return wanted


def _in_vain(file: File) -> bool:
    failed = any(report.verdict == HookVerdict.HOOK_VERDICT_FAILED for report in file.reports)
    return is_refused(file) or (file.done and failed)


async def _uploaded(mesh: Mesh, wanted: Wanted, user: str, tenant: str) -> File:
    """The file once it is up; after a cut it goes on."""
    failures, furthest = 0, 0
    with bar() as progress:
        size = wanted.path.stat().st_size
        task = progress.add_task(harmless(wanted.path.name), total=size)

        def sent(offset: int) -> None:
            progress.update(task, completed=offset)

        while True:
            try:
                offset = (await _progress(mesh, wanted)).received_bytes
                failures, furthest = (0, offset) if offset > furthest else (failures, furthest)
                response = await mesh.hub.UploadFile(_steps(wanted, offset, sent))
                sent(size)
                return response.file
            except grpc.aio.AioRpcError as error:
                failures += 1
                if not from_rpc(error).may_retry or failures > MOST_FAILURES:
                    raise
                progress.console.print(f"{from_rpc(error).message}; it goes on soon", markup=False)
            await asyncio.sleep(min(0.5 * 2**failures, LONGEST_PAUSE))
            await mesh.sign_in(user, tenant)


async def _progress(mesh: Mesh, wanted: Wanted) -> GetUploadResponse:
    """What of it is safe already, and the file it has become."""
    asked = GetUploadRequest(request_id=wanted.start(0).request_id)
    try:
        return await mesh.hub.GetUpload(asked)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return GetUploadResponse()
        raise


async def _steps(
    wanted: Wanted, offset: int, sent: Callable[[int], None]
) -> AsyncIterator[UploadFileRequest]:
    yield UploadFileRequest(start=wanted.start(offset))
    with wanted.path.open("rb") as file:
        file.seek(offset)
        while data := await asyncio.to_thread(file.read, PIECE_BYTES):
            sent(file.tell())
            yield UploadFileRequest(data=data)
    yield UploadFileRequest(end=UploadFileEnd())


async def _followed(mesh: Mesh, file: File) -> File:
    """The file once all its hooks have come to their end."""
    call = mesh.hub.FollowFile(FollowFileRequest(file_id=file.id))
    try:
        with Console(stderr=True).status("is being checked") as status:
            async for step in call:
                file = step.file
                running = [report.hook for report in file.reports if report.verdict == RUNNING]
                status.update(f"is being checked: {', '.join(running)}" if running else None)
                if step.done:
                    break
    finally:
        call.cancel()
    return file
