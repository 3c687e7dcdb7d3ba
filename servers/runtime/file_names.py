"""Names of files in what people write: "report.pdf", "the report". Pure.

A name counts as mentioned if it stands in a text as it is, or without its extension if that has
enough letters to be no accident.
"""

import re
from collections.abc import Iterable

LEAST_LETTERS = 5
"""Of a name without its extension: "a.txt" is meant only where it stands whole."""

_SEPARATORS = re.compile(r"[\s_\-.]+")


def mentions(text: str, name: str) -> bool:
    """Whether a text mentions a file of that name."""
    return any(pattern.search(text) for pattern in _patterns(name))


def without_names(text: str, names: Iterable[str]) -> str:
    """A text without the names of these files; as it is if nothing else is in it."""
    rest = text
    for name in sorted(names, key=lambda name: (-len(name), name)):
        for pattern in _patterns(name):
            rest = pattern.sub(" ", rest)
    rest = " ".join(rest.split())
    return rest if re.search(r"\w", rest) else text


def _patterns(name: str) -> list[re.Pattern[str]]:
    """The name whole, then its stem, in which spaces, dashes and underscores are the same."""
    whole = " ".join(name.split())
    if not re.search(r"\w", whole):
        return []
    stem = whole.rpartition(".")[0] or whole
    wanted = [re.escape(whole)]
    if sum(character.isalnum() for character in stem) >= LEAST_LETTERS:
        parts = [re.escape(part) for part in _SEPARATORS.split(stem) if part]
        wanted.append(r"[\s_\-.]+".join(parts))
    return [re.compile(rf"(?<!\w){each}(?!\w)", re.IGNORECASE) for each in wanted]
