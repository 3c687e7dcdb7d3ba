"""Conversation search over gRPC: translates only."""

from asyncpg import Record

from kari.conversation_models.v1.file_pb2 import Anchor, TextChunk
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import FileResult, SearchResult, SummaryResult
from kari.conversation_models.v1.summary_pb2 import (
    ConversationSummary,
    MessageRange,
    ParticipantIntent,
    SummaryKind,
)
from kari.conversation_search.v1.conversation_search_pb2 import (
    ReadFileRequest,
    ReadFileResponse,
    SearchRequest,
    SearchResponse,
)
from kari.conversation_search.v1.conversation_search_pb2_grpc import (
    ConversationSearchServiceServicer,
)
from servers.conversation_search.file_reading import FileReading
from servers.conversation_search.piece_searching import FoundPiece
from servers.conversation_search.ranking import Scored
from servers.conversation_search.searching import Searching
from servers.conversation_search.snippet import marks
from servers.runtime.call import principal
from servers.runtime.grpc_types import Context


class ConversationSearch(ConversationSearchServiceServicer):
    """Finds messages and files; see the contract."""

    def __init__(self, searching: Searching, reading: FileReading) -> None:
        self._searching = searching
        self._reading = reading

    async def Search(self, request: SearchRequest, context: Context) -> SearchResponse:
        """A page of what fits best."""
        found = await self._searching.search(request, principal())
        return SearchResponse(
            results=[_result(row, scored) for row, scored in found.shown],
            next_page_token=found.next_page_token,
            degradations=found.degradations,
            summaries=[_summary(row, scored) for row, scored in found.summaries],
            files=[_piece(each) for each in found.files],
        )

    async def ReadFile(self, request: ReadFileRequest, context: Context) -> ReadFileResponse:
        """A part of a file, in order."""
        part = await self._reading.read(request, principal())
        return ReadFileResponse(
            file_id=part.file.id,
            name=part.file.name,
            chunks=[_chunk(row) for row in part.rows],
            total=part.file.pieces,
            next_index=part.next_place,
        )


def _result(row: Record, scored: Scored) -> SearchResult:
    result = SearchResult(
        message_id=row["id"],
        conversation_id=row["conversation_id"],
        content=row["content"],
        score=scored.score,
        role=MessageRole.Value(f"MESSAGE_ROLE_{row['role'].upper()}"),
        author=row["author"],
        user_id=row["user_id"],
        sequence=row["sequence"],
        start=row["start"],
        highlights=marks(row["headline"]),
        similarity=scored.similarity,
    )
    result.timestamp.FromDatetime(row["created_at"])
    return result


def _summary(row: Record, scored: Scored) -> SummaryResult:
    summary = ConversationSummary(
        id=row["id"],
        conversation_id=row["conversation_id"],
        kind=SummaryKind.Value(f"SUMMARY_KIND_{row['kind'].upper()}"),
        summary=row["content"],
        key_topics=row["key_topics"],
        participant_intents=[ParticipantIntent.FromString(each) for each in row["intents"]],
        message_range=MessageRange(
            first_message_id=row["first_message_id"],
            last_message_id=row["last_message_id"],
            first_sequence=row["first_sequence"],
            last_sequence=row["last_sequence"],
        ),
        model_used=row["model_used"],
    )
    summary.created_at.FromDatetime(row["created_at"])
    return SummaryResult(summary=summary, score=scored.score, similarity=scored.similarity)


def _piece(found: FoundPiece) -> FileResult:
    return FileResult(
        file_id=found.file.id,
        name=found.file.name,
        conversation_id=found.file.conversation_id,
        chunk=_chunk(found.row),
        score=found.scored.score,
        highlights=marks(found.row["headline"]),
        similarity=found.scored.similarity,
    )


def _chunk(row: Record) -> TextChunk:
    return TextChunk(
        index=row["place"], text=row["content"], anchor=Anchor.FromString(row["anchor"])
    )
