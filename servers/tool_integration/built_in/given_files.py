"""Files of users for programs: found by id or name, downloaded whole, under names that a folder can
have."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kari.code_execution.v1.code_execution_pb2 import RunFile
from kari.conversation_models.v1.file_pb2 import File
from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import (
    DownloadRequest,
    GetFileRequest,
    ListFilesRequest,
)
from servers.runtime.errors import InvalidRequest, NotFound
from servers.tool_integration.built_in.file_read import FILE_ID

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub

MOST_BYTES = 3_000_000
"""Of all files together, and MOST_FILE_BYTES of one: what a run takes."""
MOST_FILE_BYTES = 2_000_000
LOOKED_AT = 200
"""Files that are looked through for a name, of the conversation and of the user: the latest."""

_ODD = re.compile(r"[^A-Za-z0-9_. -]")
_NAME_CHARACTERS = 80


class GivenFiles:
    """Downloads files, in the user's name: file attachment knows who may read what."""

    def __init__(self, files: "FileAttachmentServiceAsyncStub") -> None:
        self._files = files

    async def named(self, wanted: Sequence[str], conversation_id: str) -> list[RunFile]:
        """These files, by ids or names, in their order. NotFound if there is no such file,
        InvalidRequest if they are too large for a run."""
        found = [await self._find(each.strip(), conversation_id) for each in wanted]
        _require_small(found)
        names = folder_names([file.name for file in found])
        return [
            RunFile(name=name, content=await self._bytes(file, conversation_id))
            for name, file in zip(names, found, strict=True)
        ]

    async def _find(self, wanted: str, conversation_id: str) -> File:
        if FILE_ID.fullmatch(wanted):
            request = GetFileRequest(file_id=wanted, conversation_id=conversation_id)
            return (await self._files.GetFile(request)).file
        for where in dict.fromkeys((conversation_id, "")):
            listed = await self._files.ListFiles(
                ListFilesRequest(conversation_id=where, page_size=LOOKED_AT)
            )
            if (file := _called(listed.files, wanted)) is not None:
                return file
        raise NotFound(
            Reason.REASON_FILE_NOT_FOUND,
            "there is no file of that name in this conversation, nor among the user's own",
        )

    async def _bytes(self, file: File, conversation_id: str) -> bytes:
        request = DownloadRequest(file_id=file.id, conversation_id=conversation_id)
        call, found = self._files.Download(request), bytearray()
        try:
            async for step in call:
                found += step.data
                if len(found) > MOST_FILE_BYTES:
                    raise _too_large(file)
        finally:
            call.cancel()
        return bytes(found)


def folder_names(names: Iterable[str]) -> list[str]:
    """Names as a run's folder can have them, each once: letters beyond ASCII become `_`, and what
    is called the same gets a number."""
    given = list[str]()
    for name in names:
        plain = _ODD.sub("_", name).lstrip(". -")[-_NAME_CHARACTERS:].lstrip(". -") or "file"
        stem, dot, ending = plain.rpartition(".")
        number, each = 1, plain
        while each in given:
            number += 1
            each = f"{stem}_{number}.{ending}" if dot and stem else f"{plain}_{number}"
        given.append(each)
    return given


def _called(files: Iterable[File], name: str) -> File | None:
    known = [(file.name.casefold(), file) for file in files]
    wanted = name.casefold()
    whole = [file for each, file in known if each == wanted]
    part = [file for each, file in known if wanted in each]
    return next(iter([*whole, *part]), None)


def _require_small(files: Iterable[File]) -> None:
    left = MOST_BYTES
    for file in files:
        left -= file.size_bytes
        if file.size_bytes > MOST_FILE_BYTES or left < 0:
            raise _too_large(file)


def _too_large(file: File) -> InvalidRequest:
    return InvalidRequest(
        Reason.REASON_TOOL_ARGUMENTS,
        f"`files`: {file.name} is too large: a program is given files of {MOST_FILE_BYTES} bytes "
        f"at most, {MOST_BYTES} together; read its text with file.read instead",
    )
