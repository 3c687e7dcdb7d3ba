"""`kari files download`: a file down, on after it was broken off."""

import asyncio
import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cli.file_uploads import bar
from cli.mesh import Mesh
from cli.tool_notes import harmless
from kari.chat_hub.v1.chat_hub_pb2 import DownloadFileRequest, GetFileRequest
from kari.conversation_models.v1.file_pb2 import File
from servers.runtime.shortening import shortened

STDOUT = Path("-")
LONGEST_BYTES = 255
"""Of a name, as file systems take it."""


@dataclass(frozen=True)
class Wanted:
    """A file and where it goes: a folder, a file or standard output."""

    file_id: str
    target: Path
    conversation_id: str = ""
    force: bool = False


async def download(mesh: Mesh, wanted: Wanted) -> int:
    """Writes a file; gives the exit code: 1 if there is one already, or what came is not it."""
    asked = GetFileRequest(file_id=wanted.file_id, conversation_id=wanted.conversation_id)
    file = (await mesh.hub.GetFile(asked)).file
    if wanted.target == STDOUT:
        return await _to_stdout(mesh, wanted, file)
    path = place(wanted.target, file)
    if path.exists() and not wanted.force:
        sys.stderr.write(f"{harmless(str(path))} is there already; --force writes over it\n")
        return 1
    return await _to_file(mesh, wanted, file, path)


def place(target: Path, file: File) -> Path:
    """Where a file goes. In a folder it has its own name, which leads nowhere else: whoever
    uploaded it has chosen it."""
    if not target.is_dir():
        return target
    name = harmless(file.name).replace("/", "_").replace("\\", "_").strip(". ")
    return target / (shortened(name, LONGEST_BYTES, LONGEST_BYTES) or file.id)


async def _to_stdout(mesh: Mesh, wanted: Wanted, file: File) -> int:
    """What went out cannot be taken back: the exit code says whether it is the file."""
    digest = hashlib.sha256()
    await _receive(mesh, wanted, 0, sys.stdout.buffer, digest.update)
    return 0 if digest.hexdigest() == file.sha256 else _another()


async def _to_file(mesh: Mesh, wanted: Wanted, file: File, path: Path) -> int:
    part = path.with_name(f".{file.id}.part")
    try:
        await _fill(mesh, wanted, file, part, path.name)
    finally:
        if part.exists() and part.stat().st_size == 0 < file.size_bytes:
            part.unlink()
    if await asyncio.to_thread(_sha256, part) != file.sha256:
        part.unlink()
        return _another()
    os.replace(part, path)
    sys.stdout.write(f"{harmless(str(path))}\n")
    return 0


async def _fill(mesh: Mesh, wanted: Wanted, file: File, part: Path, name: str) -> None:
    """Has what is missing of it come."""
    with part.open("ab") as out, bar() as progress:
        if out.tell() > file.size_bytes:
            out.truncate(0)
        begin = out.tell()
        task = progress.add_task(name, total=file.size_bytes, completed=begin)

        def came(data: bytes) -> None:
            progress.advance(task, len(data))

        if begin < file.size_bytes:
            await _receive(mesh, wanted, begin, out, came)


async def _receive(
    mesh: Mesh, wanted: Wanted, offset: int, out: BinaryIO, came: Callable[[bytes], None]
) -> None:
    call = mesh.hub.DownloadFile(
        DownloadFileRequest(
            file_id=wanted.file_id, offset=offset, conversation_id=wanted.conversation_id
        )
    )
    try:
        async for step in call:
            await asyncio.to_thread(out.write, step.data)
            came(step.data)
    finally:
        call.cancel()


def _another() -> int:
    sys.stderr.write("what came is not the file as it is kept; download it again\n")
    return 1


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
