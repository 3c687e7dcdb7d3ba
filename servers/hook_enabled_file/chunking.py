"""Text in pieces of the size that search and prompts work with. Pure.

A piece has about 200 tokens, for the embedder reads no more than 256; it ends where a sentence or a
paragraph does, and begins at a place of the file that can be named. Nothing is lost, and nothing is
said twice.
"""

import re
from collections.abc import Iterable, Iterator

from kari.conversation_models.v1.file_pb2 import Anchor, TextChunk

TOKENS = 200
LONGEST_TOKENS = 250

# Words count one token for each six characters, other signs and characters of scripts without
# spaces one each: within a tenth of what WordPiece makes of English, above it for other languages.
_TOKEN = re.compile(
    r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\W\u2e80-\u9fff\uac00-\ud7af]+|[^\w\s]"
)
_LETTERS_A_TOKEN = 6
_CHARACTERS_A_TOKEN = 16
"""White space weighs something too: no piece has more than 4,000 characters."""
# Bounded, so that no text makes it slow. By their numbers: closing quotes, full stops of Chinese.
_SENTENCE = re.compile(
    r".+?(?:[.!?\u2026]{1,8}[\"'\u00bb\u201d\u2019)\]]{0,4}(?=\s|$)|[\u3002\uff01\uff1f]|\n|$)\s*",
    re.DOTALL,
)


def chunks(segments: Iterable[TextChunk]) -> Iterator[TextChunk]:
    """The segments of a file in pieces, numbered from 0 on. Segments of the same page, and rows and
    lines that follow each other, share pieces; what is on different pages does not."""
    index = 0
    for text, anchor in _pieces(segments):
        if shown := text.strip():
            yield TextChunk(index=index, text=shown, anchor=anchor)
            index += 1


def tokens(text: str) -> int:
    """About how many tokens a text has."""
    return sum(1 + (len(found) - 1) // _LETTERS_A_TOKEN for found in _TOKEN.findall(text))


def _weight(text: str) -> int:
    return max(tokens(text), len(text) // _CHARACTERS_A_TOKEN)


def _pieces(segments: Iterable[TextChunk]) -> Iterator[tuple[str, Anchor]]:
    parts, size, anchor = list[str](), 0, Anchor()
    for segment in segments:
        if parts and _apart(anchor, segment.anchor):
            yield "".join(parts), anchor
            parts, size = [], 0
        for unit in _units(f"{segment.text}\n"):
            weight = _weight(unit)
            if parts and size + weight > TOKENS:
                yield "".join(parts), anchor
                parts, size = [], 0
            if not parts:
                anchor = segment.anchor
            parts.append(unit)
            size += weight
    if parts:
        yield "".join(parts), anchor


def _apart(one: Anchor, other: Anchor) -> bool:
    kind = one.WhichOneof("place")
    if kind != other.WhichOneof("place"):
        return True
    if kind == "page":
        return bool(one.page != other.page)
    return kind == "row" and bool(one.row.sheet != other.row.sheet)


def _units(text: str) -> Iterator[str]:
    """The sentences of a text, each with what separates it from the next; those that are too long
    cut between words, or within one that is too long itself."""
    for found in _SENTENCE.finditer(text):
        sentence = found.group()
        if _weight(sentence) <= LONGEST_TOKENS:
            yield sentence
        else:
            yield from _cut(sentence)


def _cut(sentence: str) -> Iterator[str]:
    part, size = list[str](), 0
    for word in _words(sentence):
        weight = _weight(word)
        if part and size + weight > TOKENS:
            yield "".join(part)
            part, size = [], 0
        part.append(word)
        size += weight
    yield "".join(part)


def _words(sentence: str) -> Iterator[str]:
    for found in re.finditer(r"\S*\s*", sentence):
        word = found.group()
        for at in range(0, len(word), TOKENS):
            yield word[at : at + TOKENS]
