"""What a file is, decided from its content: magika judges, and where it has no word `filetype` goes
by signatures. It has none for AIFF, AMR, Flash and short programs. Whatever repeats itself, such as
zeros, silence or lines of dashes, looks to it like the image of a disc, which has marks. Native
code: call it off the event loop."""

import codecs
import re
from functools import cache

import filetype
from magika import Magika

EDGE_BYTES = 65_536
"""Bytes of the beginning and of the end that are looked at: magika reads 4 KiB of each, the table
of a tar is deeper in."""
UNKNOWN = "application/octet-stream"
EMPTY = "application/x-empty"
TEXT = "text/plain"
DISC = "application/x-iso9660-image"
SECTOR, FIRST_SECTOR = 2048, 16
DISC_MARKS = (b"CD001", b"BEA01", b"NSR02", b"NSR03")
"""Behind the first byte of a sector, from the sixteenth on: ECMA-119 8.1, ECMA-167 2/9.1."""
_NO_TEXT = re.compile(rb"[\0-\x08\x0b\x0e-\x1f\x7f]")


def content_type(first: bytes, last: bytes) -> str:
    """The media type of a file of which these are the beginning and the end (the same for a small
    one). magika's word counts: it names a GIF that is HTML as HTML. Where it does not know, a
    signature does."""
    if not first:
        return EMPTY
    judged = _magika().identify_bytes(first if first == last else first + last)
    kind = str(judged.output.mime_type)
    if judged.output.label != "unknown" and (kind != DISC or _is_disc(first)):
        return kind
    guessed = filetype.guess(first)
    if guessed is not None:
        return str(guessed.mime)
    return TEXT if _is_text(first, last) else UNKNOWN


def _is_disc(first: bytes) -> bool:
    starts = range(FIRST_SECTOR * SECTOR + 1, len(first), SECTOR)
    return any(first.startswith(DISC_MARKS, at) for at in starts)


def _is_text(first: bytes, last: bytes) -> bool:
    """Whether it is text in UTF-8, whose last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(first)
    except UnicodeDecodeError:
        return False
    return not _NO_TEXT.search(first) and not _NO_TEXT.search(last)


@cache
def _magika() -> Magika:
    return Magika()
