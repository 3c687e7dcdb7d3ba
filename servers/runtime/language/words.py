"""Words of texts in any script. Pure."""

import re

# Scripts that put no space between words: each character counts as one.
UNSPACED = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Marks that belong to the letter before, and are no letters to `re`.
MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u0900-\u0963\u0966-\u0dff\u0e00-\u0eff"
)
_LETTER = rf"(?:(?![{UNSPACED}])[^\W_]|[{MARKS}])"
_WORD = re.compile(rf"[{UNSPACED}]|{_LETTER}+(?:['\u2019-]{_LETTER}+)*")
_UNSPACED = re.compile(rf"[{UNSPACED}]")


def words(text: str) -> list[str]:
    """The words of a text as they are written, in order."""
    return _WORD.findall(text)


def spans(text: str) -> list[tuple[str, int, int]]:
    """The same with where each begins and ends."""
    return [(found[0], found.start(), found.end()) for found in _WORD.finditer(text)]


def is_unspaced(word: str) -> bool:
    """Whether the word is a character of a script without spaces."""
    return bool(_UNSPACED.fullmatch(word))


def folded(word: str) -> str:
    """A word as it is compared: without case and possessive."""
    return word.casefold().replace("\u2019", "'").removesuffix("'s")
