"""Text of Excel workbooks by row. Runs in a job."""

from collections.abc import Iterator, Sequence
from typing import IO

from openpyxl import Workbook
from openpyxl.reader.excel import ExcelReader

from kari.conversation_models.v1.file_pb2 import Anchor, SheetRow, TextChunk
from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.extracted import clean
from servers.hook_enabled_file.reading.segments import Bounds


def read(stream: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """A piece a row that holds anything: the values as they were last calculated."""
    book = _opened(stream)
    yield extracted.facts({"sheets": len(book.worksheets)})
    left = bounds.rows
    for sheet in book.worksheets:
        # What a file says of its own size may be wrong; rows are read until there are none.
        sheet.reset_dimensions()
        for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
            left -= 1
            if left < 0:
                yield extracted.left_out(f"only the first {bounds.rows} rows were read")
                return
            if text := _text(values):
                row = SheetRow(sheet=clean(sheet.title), row=number)
                yield extracted.text(TextChunk(text=clean(text), anchor=Anchor(row=row)))


class _Rows(ExcelReader):  # type: ignore[misc]  # it has no types
    """Leaves out what is not worth the rows where it is broken: what a workbook says of itself."""

    def read_properties(self) -> None: ...

    def read_custom(self) -> None: ...

    def read_theme(self) -> None: ...

    def read_chartsheet(self, sheet: object, rel: object) -> None: ...


def _opened(stream: IO[bytes]) -> Workbook:
    reader = _Rows(stream, read_only=True, data_only=True, keep_links=False)
    reader.read()
    return reader.wb


def _text(values: Sequence[object]) -> str:
    shown = ["" if value is None else str(value) for value in values]
    while shown and not shown[-1]:
        shown.pop()
    return " | ".join(shown)
