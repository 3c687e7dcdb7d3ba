"""Plain text, Markdown, CSV, code: by line. Runs in a job."""

import codecs
from collections.abc import Iterator
from typing import IO

import charset_normalizer

from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.reading.segments import Bounds, behind, segment

LINES = 20
"""Lines that make a piece at most: whole enough for sentences, short enough to be found again."""
SAMPLE = 200_000
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read(stream: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """A piece a paragraph, or so many lines of one."""
    data = stream.read(bounds.characters)
    lines = decoded(data).splitlines()
    yield extracted.facts({"lines": len(lines)})
    first, held = 1, list[str]()
    for number, line in enumerate(lines, start=1):
        if held and (not line.strip() or len(held) >= LINES):
            yield segment("\n".join(held), line=first)
            held = []
        if line.strip():
            first = first if held else number
            held.append(line)
    if held:
        yield segment("\n".join(held), line=first)
    yield from behind(stream, bounds)


def decoded(data: bytes) -> str:
    """Bytes as text: by their mark, as UTF-8, else by the best guess; never fails."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        guess = charset_normalizer.from_bytes(data[:SAMPLE]).best()
    encoding = guess.encoding if guess is not None else "utf-8"
    return data.decode(encoding, errors="replace")
