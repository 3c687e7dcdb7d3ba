"""Names cut to what is allowed, between characters. Pure."""

import unicodedata

LONGEST_ENDING = 20
"""Of a name: what stands behind its last dot is its ending up to so many bytes."""

_JOINER = "\u200d"


def shortened(name: str, characters: int, size: int) -> str:
    """A name of at most so many characters, and bytes in UTF-8. Its ending is kept; it is cut where
    a reader sees a character end."""
    if len(name) <= characters and len(name.encode()) <= size:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending.encode()) > LONGEST_ENDING:
        return _cut(name, characters, size)
    room = characters - len(ending) - 1, size - len(ending.encode()) - 1
    return f"{_cut(stem, *room)}.{ending}"


def _cut(text: str, characters: int, size: int) -> str:
    if len(text) <= characters and len(text.encode()) <= size:
        return text.strip()
    kept = text[:characters].encode()[:size].decode(errors="ignore")
    end = len(kept)
    while 0 < end < len(text) and _goes_on(text, end):
        end -= 1
    return (kept[:end] or kept).strip()


def _goes_on(text: str, at: int) -> bool:
    """Whether what stands there belongs to the character before: an accent, a part of an emoji."""
    return (
        unicodedata.category(text[at])[0] == "M"
        or _JOINER in (text[at], text[at - 1])
        or 0x1F3FB <= ord(text[at]) <= 0x1F3FF
    )
