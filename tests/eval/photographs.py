"""`python -m tests.eval.photographs`: how much of the text of photographed pages, and of
screens, is read wrongly.

Three rates of wrong characters for each page: of its text as it is put out; of the same with its
lines in the order in which they lie in the picture, not on the page; and of its lines alone, in
whatever order they come. The last says what was recognized, the others how it was put in order.
Nothing is asserted.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from itertools import starmap

import numpy as np
from PIL import Image

from servers.multimedia.reading_order import paragraphs
from servers.multimedia.skew import Piece, straightened
from servers.multimedia.within.ocr import pieces_in
from tests.eval.pages import Camera, Page, columns, letter, photographed, receipt, screen, table

CAMERAS = (
    *(Camera(degrees) for degrees in (0, -8, -4, -2, 2, 4, 8)),
    *(Camera(degrees, side) for degrees, side in ((0, 0.1), (0, 0.2), (4, 0.1), (-4, 0.1))),
    *(Camera(4, blur=blur) for blur in (0, 1.5)),
)
SCREENS = (10, 12, 14, 16)


def main() -> None:
    """Prints a line for each picture; rates are percentages."""
    _say("page", "seen", "text", "as it lies", "lines", "CPU s")
    for name, page, picture in _pictures():
        began = time.process_time()
        pieces = pieces_in(picture)
        took = time.process_time() - began
        text, lying = (
            rate(page.pieces, paragraphs(boxes))
            for boxes in (straightened(pieces), [piece.box for piece in pieces])
        )
        said = [f"{100 * found:.1f}" for found in (text, lying, _of_lines(page, pieces))]
        _say(*name, *said, f"{took:.1f}")


def _pictures() -> Iterator[tuple[tuple[str, str], Page, Image.Image]]:
    for of in (letter, columns, receipt, table):
        page = of()
        for camera in CAMERAS:
            seen = f"{camera.degrees} deg, side {camera.side}, blur {camera.blur}"
            yield (of.__name__, seen), page, photographed(page, camera)
    page = letter(lines=40)
    yield ("full page", "4 deg"), page, photographed(page, Camera(4))
    for dark in (False, True):
        for height in SCREENS:
            page = screen(height, dark=dark)
            yield ("screen", f"{height} px, {'dark' if dark else 'light'}"), page, page.picture


def _of_lines(page: Page, pieces: Sequence[Piece]) -> float:
    """Each line of the page with what resembles it most and is not taken."""
    found = [piece.text for piece in pieces]
    pairs = sorted(
        (distance(line, other), at, to)
        for at, line in enumerate(page.pieces)
        for to, other in enumerate(found)
    )
    wrong = [len(line) for line in page.pieces]
    lines, others = set[int](), set[int]()
    for edits, at, to in pairs:
        if at not in lines and to not in others:
            lines.add(at)
            others.add(to)
            wrong[at] = min(wrong[at], edits)
    return sum(wrong) / sum(map(len, page.pieces))


def rate(truth: Sequence[str], found: Sequence[str]) -> float:
    """Edits for each character of the truth; kinds of white space are the same."""
    text, other = (" ".join(" ".join(parts).split()) for parts in (truth, found))
    return distance(text, other) / len(text)


def distance(text: str, other: str) -> int:
    """Levenshtein's."""
    codes = np.array([ord(char) for char in other])
    places = np.arange(len(other) + 1)
    row = places
    for number, char in enumerate(text, 1):
        changed = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(char)))
        row = np.minimum.accumulate(np.concatenate(([number], changed)) - places) + places
    return int(row[-1])


def _say(*cells: str) -> None:
    widths = (10, 30, 6, 11, 6, 6)
    sys.stdout.write("".join(starmap(str.ljust, zip(cells, widths, strict=True))) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
