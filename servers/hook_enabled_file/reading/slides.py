"""Text of PowerPoint presentations by slide. Runs in a job."""

from collections.abc import Iterable, Iterator
from typing import IO, Any

import pptx

from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.reading.office import opened
from servers.hook_enabled_file.reading.segments import Bounds, segment

DEEPEST = 20
"""Groups within groups."""


def read(stream: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """A piece a slide: its shapes, tables, notes."""
    slides = list(opened(pptx.Presentation, stream).slides)
    yield extracted.facts({"pages": len(slides)})
    for number, slide in enumerate(slides[: bounds.pages], start=1):
        texts = list(_texts(slide.shapes, DEEPEST))
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            texts.append(slide.notes_slide.notes_text_frame.text)
        if text := "\n".join(text for text in texts if text.strip()):
            yield segment(text, page=number)
    if len(slides) > bounds.pages:
        yield extracted.left_out(f"slides behind {bounds.pages} were not read")


def _texts(shapes: Iterable[Any], depth: int) -> Iterator[str]:
    for shape in shapes:
        if shape.has_text_frame:
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield " | ".join(cell.text for cell in row.cells)
        elif hasattr(shape, "shapes") and depth:
            yield from _texts(shape.shapes, depth - 1)
