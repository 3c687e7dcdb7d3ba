"""Text of Word documents by paragraph. Runs in a job."""

from collections.abc import Iterator
from typing import IO

import docx
from docx.table import Table

from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.reading.office import opened
from servers.hook_enabled_file.reading.segments import Bounds, segment


def read(stream: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """A piece a paragraph or row of a table, in their order; its line is the paragraph's number,
    for pages are made when a document is shown."""
    document = opened(docx.Document, stream)
    if title := document.core_properties.title:
        yield extracted.facts({"title": title[:300]})
    line = 0
    for block in document.iter_inner_content():
        texts = _rows(block) if isinstance(block, Table) else [block.text]
        for text in texts:
            line += 1
            if text.strip():
                yield segment(text, line=line)


def _rows(table: Table) -> Iterator[str]:
    for row in table.rows:
        seen, cells = set(), []
        for cell in row.cells:  # a merged cell is given once for each that it covers
            if cell._tc not in seen:
                seen.add(cell._tc)
                cells.append(cell.text.replace("\n", " "))
        yield " | ".join(cells)
