"""The tool `file.read`: the text of a file of the user, or of the conversation."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import grpc

from kari.conversation_models.v1.file_pb2 import Anchor, TextChunk
from kari.conversation_search.v1.conversation_search_pb2 import ReadFileRequest, ReadFileResponse
from servers.runtime.errors import from_rpc
from servers.tool_integration.tool import Invocation, Json, Offer, Tool

if TYPE_CHECKING:
    from kari.conversation_search.v1.conversation_search_pb2_grpc import (
        ConversationSearchServiceAsyncStub,
    )

FILE_ID = re.compile(r"file_[0-9a-f]{32}")
MOST_PASSAGES = 40
DEFAULT_PASSAGES = 10
TEXT, COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
PAGE = {"type": "integer", "minimum": 1, "maximum": 100_000}

TOOL = Tool(
    id="file.read",
    name="Read a file",
    description=(
        "Reads the text of a file that the user uploaded or that is used in this conversation, in "
        "order, with the page, slide, sheet, line or time where it stands. Use it to read on where "
        "the passages that you were shown end, or to read certain pages."
    ),
    parameters={
        "type": "object",
        "properties": {
            "file": {
                "type": "string",
                "minLength": 1,
                "maxLength": 300,
                "description": "Name of the file, or its id.",
            },
            "first_page": PAGE | {"description": "Only from this page or slide on."},
            "last_page": PAGE | {"description": "Only up to this page or slide."},
            "from_passage": COUNT
            | {"maximum": 1_000_000, "description": "Passage to begin with. Default: 0."},
            "passages": {
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_PASSAGES,
                "description": f"Most passages. Default: {DEFAULT_PASSAGES}.",
            },
        },
        "required": ["file"],
        "additionalProperties": False,
    },
    result={
        "type": "object",
        "properties": {
            "file_id": TEXT,
            "name": TEXT,
            "passages": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "passage": COUNT,
                        "page": COUNT,
                        "line": COUNT,
                        "sheet": TEXT,
                        "row": COUNT,
                        "seconds": {"type": "number"},
                        "text": TEXT,
                    },
                    "required": ["passage", "text"],
                    "additionalProperties": False,
                },
            },
            "of": COUNT | {"description": "Passages that the file has."},
            "next_passage": COUNT | {"description": "Where it goes on; not there at the end."},
        },
        "required": ["file_id", "name", "passages", "of"],
        "additionalProperties": False,
    },
    timeout=5.0,
)


class FileRead:
    """Reads files, in the user's name: conversation search knows who may find what."""

    def __init__(self, search: "ConversationSearchServiceAsyncStub") -> None:
        self._search = search

    async def __call__(self, arguments: Mapping[str, Json], invocation: Invocation) -> Json:
        """A part of the file. By its name it is looked for in the conversation first, then among
        the user's own and all that they may find."""
        wanted = str(arguments["file"]).strip()
        request = ReadFileRequest(
            from_index=arguments.get("from_passage", 0),
            limit=arguments.get("passages", DEFAULT_PASSAGES),
            first_page=arguments.get("first_page", 0),
            last_page=arguments.get("last_page", 0),
        )
        if FILE_ID.fullmatch(wanted):
            request.file_id = wanted
        else:
            request.name = wanted.replace("\0", "")
            request.conversation_id = invocation.conversation_id
        return _said(await self._read(request))

    async def _read(self, request: ReadFileRequest) -> ReadFileResponse:
        try:
            return await self._search.ReadFile(request)
        except grpc.aio.AioRpcError as error:
            unknown = error.code() == grpc.StatusCode.NOT_FOUND
            if not (unknown and request.conversation_id):
                raise from_rpc(error) from error
        request.conversation_id = ""
        return await self._search.ReadFile(request)

    def offer(self) -> Offer:
        """As a tool."""
        return Offer(TOOL, self)


def _said(found: ReadFileResponse) -> Json:
    said: dict[str, Json] = {
        "file_id": found.file_id,
        "name": found.name,
        "passages": [_passage(chunk) for chunk in found.chunks],
        "of": found.total,
    }
    if found.next_index:
        said["next_passage"] = found.next_index
    return said


def _passage(chunk: TextChunk) -> Json:
    return {"passage": chunk.index, **_place(chunk.anchor), "text": chunk.text}


def _place(anchor: Anchor) -> dict[str, Json]:
    match anchor.WhichOneof("place"):
        case "page":
            return {"page": anchor.page}
        case "line":
            return {"line": anchor.line}
        case "row":
            return {"sheet": anchor.row.sheet, "row": anchor.row.row}
        case "time":
            return {"seconds": round(anchor.time.ToNanoseconds() / 1e9, 1)}
    return {}
