"""`kari files list` and `kari files remove`."""

import sys
from collections.abc import Sequence
from datetime import UTC

from google.protobuf import json_format
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from cli.mesh import Mesh
from cli.tool_notes import harmless
from kari.chat_hub.v1.chat_hub_pb2 import DeleteFileRequest, ListFilesRequest, ListFilesResponse
from kari.conversation_models.v1.file_pb2 import File, FileState
from servers.runtime.names import short

LINE_OF_PIPES = 10_000
"""Characters: what is read through a pipe is neither cut nor broken."""


async def show(mesh: Mesh, conversation_id: str, *, as_json: bool) -> int:
    """Prints the files, the latest first; gives the exit code."""
    found = await _every_file(mesh, conversation_id)
    if as_json:
        sys.stdout.write(json_format.MessageToJson(found, ensure_ascii=False) + "\n")
        return 0
    table = Table("file", "name", "size", "uploaded", "state", box=None, pad_edge=False)
    for number in (0, 2, 3):
        table.columns[number].no_wrap = True
    for file in found.files:
        table.add_row(*_row(file))
    width = None if sys.stdout.isatty() else LINE_OF_PIPES
    console = Console(highlight=False, markup=False, width=width)
    console.print(table)
    console.print(f"{decimal(found.used_bytes)} of {decimal(found.quota_bytes)} are used")
    return 0


async def remove(mesh: Mesh, file_ids: Sequence[str]) -> int:
    """Erases files; gives the exit code."""
    for file_id in file_ids:
        await mesh.hub.DeleteFile(DeleteFileRequest(file_id=file_id))
        sys.stdout.write(f"removed {harmless(file_id)}\n")
    return 0


async def _every_file(mesh: Mesh, conversation_id: str) -> ListFilesResponse:
    """All pages as one."""
    found, asked = ListFilesResponse(), ListFilesRequest(page_size=200)
    asked.conversation_id = conversation_id
    while True:
        page = await mesh.hub.ListFiles(asked)
        asked.page_token = page.next_page_token
        found.files.extend(page.files)
        found.used_bytes, found.quota_bytes = page.used_bytes, page.quota_bytes
        if not asked.page_token:
            return found


def _row(file: File) -> tuple[str, ...]:
    uploaded = file.created_at.ToDatetime(tzinfo=UTC).astimezone()
    state = short(FileState, file.state)
    told = f"{state}: {harmless(file.refused_because)}" if file.refused_because else state
    name, size = harmless(file.name), decimal(file.size_bytes)
    return file.id, name, size, f"{uploaded:%Y-%m-%d %H:%M}", told
