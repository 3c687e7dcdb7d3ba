"""Reading the text of a file in order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asyncpg import Record

from kari.conversation_models.v1.file_pb2 import Anchor
from kari.conversation_search.v1.conversation_search_pb2 import ReadFileRequest
from kari.errors.v1.errors_pb2 import Reason
from servers.conversation_search.searching import EARLIEST, LATEST
from servers.conversation_search.store_pieces import Asked, File, PieceWords
from servers.runtime.call import Principal
from servers.runtime.errors import InvalidRequest, NotFound

DEFAULT_LIMIT = 20
PAGE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class ReadPart:
    """A part of a file, and the place with which it goes on; 0 if nothing follows."""

    file: File
    rows: Sequence[Record]
    next_place: int


class FileReading:
    """Reads files that the caller may find."""

    def __init__(self, pieces: PieceWords) -> None:
        self._pieces = pieces

    async def read(self, request: ReadFileRequest, who: Principal) -> ReadPart:
        """A part of a file. InvalidRequest if neither id nor name is given, NotFound if the caller
        may find no such file, or if it has no text."""
        if not (request.file_id or request.name.strip()):
            raise InvalidRequest(
                Reason.REASON_FIELD_INVALID,
                "say which file: by its id or by its name",
                violations=[("file_id", "is not set, and neither is name")],
            )
        file = await self._file(request, who)
        limit = request.limit or DEFAULT_LIMIT
        places: list[int] = []
        if request.first_page or request.last_page:
            anchors = await self._pieces.anchors(who.tenant_id, file.id, request.from_index)
            places = on_pages(anchors, request.first_page, request.last_page)
            if not places:
                return ReadPart(file, (), 0)
        rows = await self._pieces.texts(
            who.tenant_id, file.id, request.from_index, places[: limit + 1], limit + 1
        )
        shown = fitting(rows[:limit])
        rest = rows[len(shown) :]
        return ReadPart(file, shown, rest[0]["place"] if rest else 0)

    async def _file(self, request: ReadFileRequest, who: Principal) -> File:
        asked = Asked(
            user_id=who.user_id,
            conversation_id=request.conversation_id,
            file_ids=[request.file_id] if request.file_id else [],
            named=request.conversation_id,
            since=EARLIEST,
            until=LATEST,
        )
        scope = await self._pieces.scope(who.tenant_id, asked)
        found = called(scope.files.values(), request.name) if not request.file_id else None
        file = scope.files.get(request.file_id, found)
        if file is None:
            raise NotFound(
                Reason.REASON_FILE_NOT_FOUND,
                "there is no such file, or no text of it: look at the files of the conversation",
            )
        return file


def called(files: Iterable[File], name: str) -> File | None:
    """The file of that name, else the first that has it in its name, whatever their case."""
    wanted, files = " ".join(name.casefold().split()), list(files)
    names = [(" ".join(file.name.casefold().split()), file) for file in files]
    whole = [file for known, file in names if known == wanted]
    part = [file for known, file in names if wanted in known]
    return next(iter([*whole, *part]), None)


def on_pages(rows: Iterable[Record], first: int, last: int) -> list[int]:
    """The places of the pieces on pages `first` to `last`; 0 does not matter. A piece without a
    page is on none."""
    found = list[int]()
    for row in rows:
        page = Anchor.FromString(row["anchor"]).page
        if page and page >= first and (not last or page <= last):
            found.append(row["place"])
    return found


def fitting(rows: Sequence[Record]) -> Sequence[Record]:
    """The first rows that have PAGE_BYTES of text together, one at least."""
    left = PAGE_BYTES
    for at, row in enumerate(rows):
        left -= len(row["content"].encode())
        if left < 0 and at:
            return rows[:at]
    return rows
