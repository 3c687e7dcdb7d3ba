"""Pieces of files as rows, and back; which ones are kept. Pure."""

from collections.abc import Sequence

from kari.conversation_models.v1.file_pb2 import Anchor, TextChunk
from kari.errors.v1.errors_pb2 import Reason
from servers.production_memory.message import storable
from servers.runtime.errors import InvalidRequest, NotFound
from servers.runtime.queries import Row

MOST_CHUNKS = 20_000
"""Of one file: some forty books."""
MOST_CHARACTERS = 8_000
"""Of one piece: several times what an embedder reads and a prompt has room for."""
MOST_TOGETHER = 1_000_000
"""Characters of one call."""


def chunk_id(file_id: str, place: int) -> str:
    """The id of a piece: ids of a file's pieces are in the order of their places."""
    return f"{file_id}:{place:06}"


def chunk_of(row: Row) -> TextChunk:
    """The piece of a row of `file_chunks`."""
    return TextChunk(
        index=row["place"], text=row["content"], anchor=Anchor.FromString(row["anchor"])
    )


def columns_of(
    file_id: str, chunks: Sequence[TextChunk]
) -> tuple[list[str], list[int], list[str], list[bytes]]:
    """Ids, places, texts and anchors of pieces, each place once: the last one counts."""
    last = {chunk.index: chunk for chunk in chunks}
    by_place = {place: last[place] for place in sorted(last)}
    return (
        [chunk_id(file_id, place) for place in by_place],
        list(by_place),
        [storable(chunk.text) for chunk in by_place.values()],
        [chunk.anchor.SerializeToString(deterministic=True) for chunk in by_place.values()],
    )


def require_fitting(chunks: Sequence[TextChunk]) -> None:
    """InvalidRequest if a piece has no place among MOST_CHUNKS, or is too long."""
    violations = [
        (f"chunks[{at}].{field}", problem)
        for at, chunk in enumerate(chunks)
        for field, problem, wrong in (
            (
                "index",
                f"has to be 0 to {MOST_CHUNKS - 1}: index the beginning of a longer file",
                not 0 <= chunk.index < MOST_CHUNKS,
            ),
            (
                "text",
                f"has more than {MOST_CHARACTERS} characters: cut it into several pieces",
                len(chunk.text) > MOST_CHARACTERS,
            ),
        )
        if wrong
    ]
    if sum(len(chunk.text) for chunk in chunks) > MOST_TOGETHER:
        violations.append(
            ("chunks", f"have more than {MOST_TOGETHER} characters: send fewer at once")
        )
    if violations:
        raise InvalidRequest(
            Reason.REASON_FIELD_INVALID,
            "a piece of a file has a place and a bounded text",
            violations=violations,
        )


def unknown_file() -> NotFound:
    """There is no such file, or it is somebody else's, or it was dropped."""
    return NotFound(Reason.REASON_FILE_NOT_FOUND, "there is no such file")
