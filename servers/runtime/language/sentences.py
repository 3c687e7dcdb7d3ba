"""Texts as sentences, in any script, none of them long. Pure."""

import re
import unicodedata
from collections.abc import Iterator

LONGEST = 300
"""Characters of a sentence; a longer one, and a text without any stop, is cut at spaces."""

_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff]"
)
_BULLET = re.compile(r"^\s*(?:(?:[-*+\u2022>]|#{1,6}|\d{1,3}[.)])\s+)+")
_CLOSING = r"[\"'\u2019\u201d\u00bb\u300d\u300f\uff09)\]*_]*"
# CJK, Devanagari, Urdu, Arabic, Khmer, Burmese, Ethiopic, Armenian and Tibetan put no space behind.
_STOPS = "\u3002\uff01\uff1f\uff61\u0964\u0965\u06d4\u061f\u17d4\u104b\u1362\u1367\u0589\u0f0d"
_STOP = re.compile(rf"[.!?\u2026]+{_CLOSING}(?=\s|$)|[{_STOPS}]+{_CLOSING}")
_ABBREVIATED = frozenset(
    [
        "al",
        "approx",
        "bzw",
        "ca",
        "cf",
        "co",
        "corp",
        "dept",
        "dr",
        "e.g",
        "eg",
        "etc",
        "fig",
        "i.e",
        "ie",
        "inc",
        "jr",
        "ltd",
        "mr",
        "mrs",
        "ms",
        "no",
        "nr",
        "p.ex",
        "prof",
        "rev",
        "sr",
        "st",
        "usw",
        "vgl",
        "vs",
        "z.b",
    ]
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order, each on one line; code blocks are left out."""
    found = list[str]()
    for line in _FENCED.sub("\n", text).split("\n"):
        for sentence in _parted(one_line(_BULLET.sub("", line))):
            found += _wrapped(sentence)
    return found


def one_line(text: str) -> str:
    """A text without line breaks, runs of spaces and characters that are not seen."""
    return " ".join(_INVISIBLE.sub(" ", text).split())


def is_question(sentence: str) -> bool:
    """Whether a sentence asks something."""
    return sentence.rstrip("\"'\u2019\u201d\u00bb\u300d\u300f\uff09)]*_ ").endswith(
        ("?", "\uff1f", "\u061f", "\u1367", "\u037e")
    )


def _parted(line: str) -> Iterator[str]:
    begin = 0
    for stop in _STOP.finditer(line):
        if _goes_on(line, begin, stop):
            continue
        yield line[begin : stop.end()].strip()
        begin = stop.end()
    if rest := line[begin:].strip():
        yield rest


def _goes_on(line: str, begin: int, stop: re.Match[str]) -> bool:
    """Whether full stops end a word and not the sentence: `Dr. Smith`, `J. Smith`, `well... no`."""
    if stop[0].strip("."):
        return False
    last = line[begin : stop.start()].rpartition(" ")[2].lstrip("(\"'").casefold()
    following = line[stop.end() : stop.end() + 2].strip()
    return last in _ABBREVIATED or (len(last) == 1 and last.isalpha()) or following[:1].islower()


def _wrapped(sentence: str) -> Iterator[str]:
    while len(sentence) > LONGEST:
        end = sentence.rfind(" ", LONGEST // 2, LONGEST + 1)
        if end < 0:
            end = _whole_character(sentence, LONGEST)
        yield sentence[:end].rstrip()
        sentence = sentence[end:].lstrip()
    if sentence:
        yield sentence


def _whole_character(text: str, end: int) -> int:
    """The place at or before `end` where no character is cut from its marks."""
    place = end
    while place > end // 2 and _joins(text[place - 1], text[place]):
        place -= 1
    return place


def _joins(before: str, after: str) -> bool:
    return unicodedata.category(after)[0] == "M" or "\u200d" in (before, after)
