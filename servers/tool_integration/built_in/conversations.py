"""The tool `conversation.search`: what was said in the user's conversations."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import (
    FileResult,
    SearchFilter,
    SearchResult,
    SummaryResult,
)
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest
from servers.runtime.names import short
from servers.tool_integration.tool import Invocation, Json, Offer, Tool

if TYPE_CHECKING:
    from kari.conversation_search.v1.conversation_search_pb2_grpc import (
        ConversationSearchServiceAsyncStub,
    )

DAY = {"type": "string", "maxLength": 40}
TEXT = {"type": "string"}
FIELDS = ("text", "role", "author", "time", "conversation_id", "message_id")

TOOL = Tool(
    id="conversation.search",
    name="Search conversations",
    description=(
        "Searches what was said in the user's conversations, by words and by meaning, and gives "
        "the passages that fit best. Use it when the user refers to something that was said "
        "earlier and that you cannot see."
    ),
    parameters={
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1000,
                "description": 'Words or a question. "a phrase" has to stand there as it is, -word '
                "must not.",
            },
            "where": {
                "enum": ["all", "here"],
                "description": "All conversations of the user, or this one. Default: all.",
            },
            "role": {
                "enum": ["user", "assistant"],
                "description": "Only what users, or only what assistants said.",
            },
            "since": DAY | {"description": "Only from then on; ISO 8601, such as 2026-03-01."},
            "until": DAY | {"description": "Only before then; ISO 8601."},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": 20,
                "description": "Most results. Default: 8.",
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    result={
        "type": "object",
        "properties": {
            "results": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": dict.fromkeys(FIELDS, TEXT),
                    "required": list(FIELDS),
                    "additionalProperties": False,
                },
            },
            "summaries": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"text": TEXT, "conversation_id": TEXT},
                    "required": ["text", "conversation_id"],
                    "additionalProperties": False,
                },
            },
            "files": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "text": TEXT,
                        "file": TEXT,
                        "passage": {"type": "integer"},
                        "page": {"type": "integer"},
                    },
                    "required": ["text", "file", "passage"],
                    "additionalProperties": False,
                },
                "description": "Passages of files; file.read reads on.",
            },
            "missing": {
                "type": "string",
                "description": "What could not be looked through; there may be more.",
            },
        },
        "required": ["results", "summaries"],
        "additionalProperties": False,
    },
    timeout=5.0,
)


class ConversationSearch:
    """Asks conversation search, in the user's name."""

    def __init__(self, search: "ConversationSearchServiceAsyncStub") -> None:
        self._search = search

    async def __call__(self, arguments: Mapping[str, Json], invocation: Invocation) -> Json:
        """The passages that fit best."""
        request = SearchRequest(
            query=arguments["query"],
            filter=_filter(arguments, invocation),
            page_size=arguments.get("limit", 8),
        )
        found = await self._search.Search(request)
        said: dict[str, Json] = {
            "results": [_result(result) for result in found.results],
            "summaries": [_summary(each) for each in found.summaries],
        }
        if found.files:
            said["files"] = [_piece(each) for each in found.files]
        if found.degradations:
            said["missing"] = "Found by words alone: searching by meaning is not available now."
        return said

    def offer(self) -> Offer:
        """As a tool."""
        return Offer(TOOL, self)


def _filter(arguments: Mapping[str, Json], invocation: Invocation) -> SearchFilter:
    wanted = SearchFilter()
    if arguments.get("where") == "here":
        if not invocation.conversation_id:
            raise InvalidRequest(
                Reason.REASON_TOOL_ARGUMENTS, "`where`: this call belongs to no conversation"
            )
        wanted.conversation_id = invocation.conversation_id
    if "role" in arguments:
        wanted.roles.append(MessageRole.Value(f"MESSAGE_ROLE_{arguments['role'].upper()}"))
    for name, field in (("since", wanted.since), ("until", wanted.until)):
        if name in arguments:
            field.FromDatetime(_moment(name, arguments[name]))
    return wanted


def _moment(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            Reason.REASON_TOOL_ARGUMENTS, f"`{name}`: `{text}` is no date in ISO 8601"
        ) from error


def _result(result: SearchResult) -> Json:
    return {
        "text": result.content,
        "role": short(MessageRole, result.role),
        "author": result.author,
        "time": result.timestamp.ToDatetime(UTC).isoformat(timespec="seconds"),
        "conversation_id": result.conversation_id,
        "message_id": result.message_id,
    }


def _piece(found: FileResult) -> Json:
    chunk = found.chunk
    page = {"page": chunk.anchor.page} if chunk.anchor.page else {}
    return {"text": chunk.text, "file": found.name, "passage": chunk.index, **page}


def _summary(found: SummaryResult) -> Json:
    return {"text": found.summary.summary, "conversation_id": found.summary.conversation_id}
