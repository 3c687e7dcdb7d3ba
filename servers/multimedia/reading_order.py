"""Text on a page in the order in which people read it.

Boxes are cut apart at the widest gap again and again (Nagy and Seth's XY cut): columns of prose one
after the other, everything else from top to bottom. Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median


@dataclass(frozen=True, slots=True)
class Box:
    """A line, or a piece of one, and where it stands in pixels."""

    left: float
    top: float
    right: float
    bottom: float
    text: str

    @property
    def height(self) -> float:
        """In pixels."""
        return self.bottom - self.top


COLUMN_GAP = 0.8
"""Narrowest gap between columns, in heights of a line."""
PROSE = 8
"""Median width of the lines of a column, in heights: narrower ones are cells of a table, which is
read by rows."""
PARAGRAPH_GAP = 0.9
"""Gap between lines, in heights, that begins a new paragraph."""


def paragraphs(boxes: Sequence[Box]) -> list[str]:
    """The paragraphs, lines joined by newlines."""
    return [text for region in _regions(boxes) for text in _of_region(region)]


def _regions(boxes: Sequence[Box]) -> list[list[Box]]:
    """Regions in order, each without columns."""
    found: list[list[Box]] = []
    left = [sorted(boxes, key=lambda box: (box.top, box.left))] if boxes else []
    while left:
        region = left.pop()
        parts = _columns(region) or _bands(region)
        if parts is None:
            found.append(region)
        else:
            left += reversed(parts)
    return found


def _columns(region: list[Box]) -> list[list[Box]] | None:
    line = median(box.height for box in region)
    cut = _widest(region, lambda box: (box.left, box.right))
    if cut is None or cut[0] < COLUMN_GAP * line:
        return None
    sides = [
        [box for box in region if box.right <= cut[1]],
        [box for box in region if box.right > cut[1]],
    ]
    widths = [median(box.right - box.left for box in side) for side in sides]
    prose = all(len(side) > 1 for side in sides) and min(widths) >= PROSE * line
    return sides if prose else None


def _bands(region: list[Box]) -> list[list[Box]] | None:
    """The parts over and under the highest gap, where a part has columns; else there is no use."""
    if not _has_two_abreast(region):
        return None
    cut = _widest(region, lambda box: (box.top, box.bottom))
    if cut is None:
        return None
    return [
        [box for box in region if box.bottom <= cut[1]],
        [box for box in region if box.bottom > cut[1]],
    ]


def _has_two_abreast(region: list[Box]) -> bool:
    return any(one.bottom - other.top > 0.5 * other.height for one, other in pairwise(region))


def _widest(
    region: list[Box], extent: Callable[[Box], tuple[float, float]]
) -> tuple[float, float] | None:
    """Width of the widest gap, and where it begins; the first of several."""
    best: tuple[float, float] | None = None
    end: float | None = None
    for low, high in sorted(extent(box) for box in region):
        if end is not None and low > end and (best is None or low - end > best[0]):
            best = low - end, end
        end = high if end is None else max(end, high)
    return best


def _of_region(region: list[Box]) -> list[str]:
    lines: list[list[Box]] = []
    for box in region:
        if lines and _beside(lines[-1], box):
            lines[-1].append(box)
        else:
            lines.append([box])
    texts: list[str] = []
    bottom = 0.0
    for line in lines:
        text = " ".join(box.text for box in sorted(line, key=lambda box: box.left))
        top = min(box.top for box in line)
        if texts and top - bottom < PARAGRAPH_GAP * max(box.height for box in line):
            texts[-1] += f"\n{text}"
        else:
            texts.append(text)
        bottom = max(box.bottom for box in line)
    return texts


def _beside(line: list[Box], box: Box) -> bool:
    """Whether a box stands on a line: by half of its height."""
    top, bottom = min(b.top for b in line), max(b.bottom for b in line)
    return min(bottom, box.bottom) - max(top, box.top) > 0.5 * min(box.height, bottom - top)
