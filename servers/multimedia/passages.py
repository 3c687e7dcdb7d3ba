"""Cutting text into passages of a size that can be searched. Pure."""

from collections.abc import Iterable, Iterator

LONGEST = 1500
"""Characters of a passage: about 400 tokens."""
SPOKEN_SECONDS = 30.0
"""Longest passage of speech: who follows its time finds the words at once."""
SPOKEN = 500
"""Characters after which a passage of speech ends."""


def gathered(paragraphs: Iterable[str]) -> Iterator[str]:
    """Passages of whole paragraphs; only what is longer than a passage is cut."""
    held = ""
    for paragraph in paragraphs:
        for piece in _pieces(paragraph):
            if held and len(held) + len(piece) + 2 > LONGEST:
                yield held
                held = ""
            held = f"{held}\n\n{piece}" if held else piece
    if held:
        yield held


def spoken(
    segments: Iterable[tuple[float, float, str]],
) -> Iterator[tuple[float, float, str]]:
    """Segments of speech (beginning and end in seconds, text) as passages."""
    begins = ends = 0.0
    held = ""
    for start, end, said in segments:
        text = said.strip()
        if not text:
            continue
        if held and (end - begins > SPOKEN_SECONDS or len(held) + len(text) > SPOKEN):
            yield begins, ends, held
            held = ""
        if not held:
            begins = start
        held, ends = f"{held} {text}".strip(), end
    if held:
        yield begins, ends, held


def _pieces(paragraph: str) -> Iterator[str]:
    text = paragraph.strip()
    while len(text) > LONGEST:
        cut = max(text.rfind(mark, LONGEST // 2, LONGEST) for mark in (" ", "\n"))
        cut = cut if cut > 0 else LONGEST
        yield text[:cut].strip()
        text = text[cut:].strip()
    if text:
        yield text
