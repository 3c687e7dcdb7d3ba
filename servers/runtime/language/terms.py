"""What a text is about, as words that can be compared. Pure."""

from collections.abc import Iterable

from servers.runtime.language.stop_words import LANGUAGES, language_of
from servers.runtime.language.words import folded, words

_FEW, _ENOUGH = 3, 200
"""Words of a text from which its language can be told: a shorter one is taken as English, of a
longer one the beginning is looked at."""


def terms(text: str) -> list[str]:
    """The words of a text that are about something, in order, as they are compared: without case,
    possessive and plural, and without the stop words of the language that it is written in."""
    found = [folded(word) for word in words(text)]
    stops = language_of(found[:_ENOUGH]) if len(found) > _FEW else LANGUAGES[0]
    kept = (word for word in found if word.partition("'")[0] not in stops)
    return [
        singular(word) for word in kept if len(word) > 1 or not word.isascii() or word.isdigit()
    ]


def singular(word: str) -> str:
    """An English word without its plural (the S stemmer: Harman, "How effective is suffixing?",
    1991, table 1); others pass, or lose an s in both of the texts that are compared."""
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and len(word) > 2:
        return word[:-1]
    return word


def coverage(wanted: Iterable[str], found: Iterable[str]) -> float:
    """Which part of the wanted terms is among the found ones, 0 to 1; 0 if nothing is wanted."""
    sought = set(wanted)
    return len(sought & set(found)) / len(sought) if sought else 0.0


def likeness(one: Iterable[str], other: Iterable[str]) -> float:
    """How much two texts share: the Jaccard coefficient of their terms, 0 to 1."""
    a, b = set(one), set(other)
    return len(a & b) / len(a | b) if a or b else 0.0
