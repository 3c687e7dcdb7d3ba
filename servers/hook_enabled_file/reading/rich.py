"""Text of RTF. Runs in a job."""

import re
from collections.abc import Iterator
from typing import IO

from striprtf.striprtf import rtf_to_text

from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.reading.plain import paragraphs
from servers.hook_enabled_file.reading.segments import Bounds

MOST_BYTES = 64_000_000
"""Of a file that is read: most of a large one are pictures."""
_DIGITS = re.compile(rb"(?:[0-9a-fA-F]{32,}\s*){4,}")
"""A picture as RTF has it, in many lines of digits."""


def read(stream: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """A piece a paragraph; its line is that of the text as it is read, not of its source."""
    data = _DIGITS.sub(b"", stream.read(MOST_BYTES))
    rest = bool(stream.read(1)) or len(data) > bounds.characters
    # RTF is ASCII; other bytes stand for themselves in the code page that it names.
    source = data[: bounds.characters].decode("latin-1")
    text = str(rtf_to_text(source, errors="replace"))  # type: ignore[no-untyped-call]  # no types
    yield from paragraphs(text.splitlines())
    if rest:
        yield extracted.left_out(f"only the first {bounds.characters} bytes were read")
