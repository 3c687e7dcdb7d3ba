"""`kari search`: what was said, found by words and by meaning."""

import asyncio
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cli.explain import missed
from cli.mesh import Mesh, NotRunning, connected
from kari.chat_hub.v1.chat_hub_pb2 import SearchRequest, SearchResponse
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.file_pb2 import Anchor
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import (
    FileResult,
    Highlight,
    SearchFilter,
    SummaryResult,
)
from servers.runtime.errors import from_rpc
from servers.runtime.names import short
from servers.runtime.settings import read_settings

LARGEST_PAGE = 50
INDENT = (0, 0, 1, 2)
"""Around a text: an empty line below, two columns before it."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for; times without a zone are those of this machine."""

    query: str
    conversation_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    roles: Sequence[str] = ()
    count: int = 20

    def request(self, page_size: int, page_token: str) -> SearchRequest:
        """One page of it."""
        roles = [MessageRole.Value(f"MESSAGE_ROLE_{role.upper()}") for role in self.roles]
        chosen = SearchFilter(
            conversation_id=self.conversation_id,
            since=_timestamp(self.since),
            until=_timestamp(self.until),
            roles=roles,
        )
        return SearchRequest(
            query=self.query, filter=chosen, page_size=page_size, page_token=page_token
        )


def run(wanted: Wanted, user: str, tenant: str, *, as_json: bool) -> int:
    """Prints what was found, the best first; gives the exit code: 1 if that is nothing."""
    try:
        found = asyncio.run(_ask(wanted, user, tenant))
    except NotRunning as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except grpc.aio.AioRpcError as error:
        sys.stderr.write(f"{from_rpc(error).message}\n")
        return 1
    if as_json:
        sys.stdout.write(json_format.MessageToJson(found, ensure_ascii=False) + "\n")
    else:
        _print(found)
    return 0 if found.results or found.summaries or found.files else 1


def marked(content: str, highlights: Iterable[Highlight]) -> Text:
    """A text with its highlighted stretches bold. Control characters, with which a text could move
    the cursor or colour what follows, are shown as one that is not known."""
    shown = "".join(_harmless(character) for character in content)
    text = Text(shown)
    for highlight in highlights:
        text.stylize("bold yellow", highlight.start, highlight.end)
    return text


def without(degradations: Sequence[Degradation]) -> str:
    """What was missing, in a line; empty if nothing was."""
    features = {each.feature for each in degradations}
    if Feature.FEATURE_SEMANTIC_RECALL not in features:
        return f"done without: {missed(degradations)}" if degradations else ""
    return f"words alone decided: done without {missed(degradations)}"


async def _ask(wanted: Wanted, user: str, tenant: str) -> SearchResponse:
    async with connected(read_settings()) as mesh:
        await mesh.sign_in(user, tenant)
        return await _pages(mesh, wanted)


async def _pages(mesh: Mesh, wanted: Wanted) -> SearchResponse:
    """As many as are wanted, as one; its token is that of the page behind them."""
    found, token = SearchResponse(), ""
    while (left := wanted.count - len(found.results)) > 0:
        page = await mesh.hub.Search(wanted.request(min(left, LARGEST_PAGE), token))
        token = page.next_page_token
        known, missing = list(found.degradations), list(page.degradations)
        found.MergeFrom(page)
        del found.degradations[:]
        found.degradations.extend([*known, *(each for each in missing if each not in known)])
        if not token:
            break
    found.next_page_token = token
    return found


def _print(found: SearchResponse) -> None:
    console = Console(highlight=False)
    for summary in found.summaries:
        _print_summary(console, summary)
    for piece in found.files:
        _print_piece(console, piece)
    for result in found.results:
        author = result.author or short(MessageRole, result.role)
        console.print(_head(result.timestamp, author, result.conversation_id), soft_wrap=True)
        console.print(Padding(marked(result.content, result.highlights), INDENT))
    if lacking := without(found.degradations):
        console.print(lacking, markup=False)
    if not (found.results or found.summaries or found.files):
        sys.stderr.write("nothing was found\n")


def _print_summary(console: Console, found: SummaryResult) -> None:
    summary = found.summary
    head = _head(summary.created_at, "summary", summary.conversation_id)
    console.print(head, soft_wrap=True)
    console.print(Padding(marked(summary.summary, ()), INDENT))


def _print_piece(console: Console, found: FileResult) -> None:
    """Under the file's name, with the place in it."""
    head = marked(", ".join(filter(None, (found.name, place(found.chunk.anchor)))), ())
    console.print(head.append(f"  {found.conversation_id or found.file_id}"), soft_wrap=True)
    console.print(Padding(marked(found.chunk.text, found.highlights), INDENT))


def place(anchor: Anchor) -> str:
    """Where a piece stands in its file; empty if that is not known."""
    match anchor.WhichOneof("place"):
        case "page":
            return f"page {anchor.page}"
        case "line":
            return f"line {anchor.line}"
        case "row":
            return f"sheet {anchor.row.sheet}, row {anchor.row.row}"
        case "time":
            return f"at {anchor.time.ToTimedelta()}".partition(".")[0]
    return ""


def _head(timestamp: Timestamp, who: str, conversation_id: str) -> Text:
    """When in the time of this machine, who, and where it can be gone on with."""
    when = timestamp.ToDatetime(tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    head = Text(f"{when}  ", style="dim")
    return head.append_text(marked(who, ())).append(f"  {conversation_id}")


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(moment.astimezone(UTC))
    return timestamp


def _harmless(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) != "Cc":
        return character
    return " " if character == "\r" else "\ufffd"
