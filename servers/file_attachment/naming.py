"""Names of files as people see them. Never used as paths. Pure."""

import unicodedata

from servers.runtime.shortening import shortened

LONGEST = 200
"""Characters; of most alphabets fewer fit into the bytes."""
LONGEST_BYTES = 235
"""In UTF-8. File systems take names of 255: 20 are left for what programs put behind them while a
file comes, or where one of that name is there already."""
NAMELESS = "file"

# Marks that make a name read differently from what it is, such as `gpj.exe` shown as `exe.jpg`.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def cleaned(name: str) -> str:
    """A name without folders, control characters and marks of direction, of at most 200 characters
    and 235 bytes, with its ending kept; `file` if nothing is left."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(_shown(c) for c in unicodedata.normalize("NFC", last))
    shown = " ".join(shown.split()).strip(". ")
    return shortened(shown, LONGEST, LONGEST_BYTES) or NAMELESS


def _shown(character: str) -> str:
    if character in _BIDI:
        return ""
    return " " if unicodedata.category(character)[0] in "CZ" else character
