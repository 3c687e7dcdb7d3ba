"""What a file is, decided from its content: magika judges, and where it has no word `filetype` goes
by signatures. It has none for AIFF, AMR, Flash and short programs. Native code: call it off the
event loop."""

from functools import cache
from typing import TYPE_CHECKING

import filetype

if TYPE_CHECKING:
    from magika import Magika

EDGE_BYTES = 65_536
"""Bytes of the beginning and of the end that are looked at: magika reads 4 KiB of each, the table
of a tar is deeper in."""
UNKNOWN = "application/octet-stream"
EMPTY = "application/x-empty"


def content_type(first: bytes, last: bytes) -> str:
    """The media type of a file of which these are the beginning and the end (the same for a small
    one). magika's word counts: it names a GIF that is HTML as HTML. Where it does not know, a
    signature does."""
    if not first:
        return EMPTY
    judged = _magika().identify_bytes(first if first == last else first + last)
    if judged.output.label != "unknown":
        return str(judged.output.mime_type)
    guessed = filetype.guess(first)
    return str(guessed.mime) if guessed is not None else UNKNOWN


@cache
def _magika() -> "Magika":
    # It brings onnxruntime and NumPy: 30 MB, and a third of a second before a server is ready.
    from magika import Magika

    return Magika()
