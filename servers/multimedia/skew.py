"""Pages that were photographed askew, made straight before their text is put in order.

The rows of a page that was turned are parallel. Those of one that was seen from its side meet in a
point far away: their slopes grow evenly from the top of the page to its bottom. Both are found from
long lines, or where there are few of them, from pieces that stand beside each other (the corners of
a short piece say little: they lie on a coarse grid). Medians keep out a few that stand otherwise, a
stamp or a note on the margin. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import atan2, cos, hypot, sin

from servers.multimedia.reading_order import Box

Point = tuple[float, float]

ELONGATED = 2.0
"""Least length, in heights, of a piece whose direction is looked at."""
LONG = 6.0
"""Least length of a row, in heights: the slope of a shorter one is not known well enough."""
FEWEST, MOST = 6, 60
"""Rows that are compared: fewer say nothing, and of more the longest are taken."""
LEAST_DEPTH = 0.5
"""Of the middle of a page: where a side seems to be smaller, the rows were misunderstood."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A line, or a piece of one, and where it stands in pixels, however the page lies: the corners
    where its text begins above, ends above, ends below and begins below."""

    corners: tuple[Point, Point, Point, Point]
    text: str

    @property
    def along(self) -> Point:
        """From where it begins to where it ends."""
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.corners
        return (bx + cx - ax - dx) / 2, (by + cy - ay - dy) / 2

    @property
    def length(self) -> float:
        """In pixels."""
        return hypot(*self.along)

    @property
    def height(self) -> float:
        """In pixels."""
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.corners
        return hypot(cx + dx - ax - bx, cy + dy - ay - by) / 2

    @property
    def middle(self) -> Point:
        """Of its corners."""
        return sum(x for x, _ in self.corners) / 4, sum(y for _, y in self.corners) / 4

    @property
    def box(self) -> Box:
        """The smallest that holds it."""
        xs, ys = zip(*self.corners, strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys), self.text)


@dataclass(frozen=True, slots=True)
class _Row:
    """A straight line across a page that was turned roughly upright."""

    x: float
    y: float
    slope: float
    length: float

    def height_at(self, x: float) -> float:
        """Where it crosses a vertical."""
        return self.y + self.slope * (x - self.x)


def straightened(pieces: Sequence[Piece]) -> list[Box]:
    """Where the pieces would stand on a page that lies straight; its place and size may differ."""
    return [piece.box for piece in _levelled(_turned(pieces, -_angle(pieces)))]


def _angle(pieces: Iterable[Piece]) -> float:
    """The direction of most of the text, in radians, clockwise."""
    return _median(
        (atan2(piece.along[1], piece.along[0]), piece.length)
        for piece in pieces
        if piece.length >= ELONGATED * piece.height
    )


def _turned(pieces: Iterable[Piece], angle: float) -> list[Piece]:
    """About the origin: order does not depend on where a page lies."""
    c, s = cos(angle), sin(angle)
    return [
        _moved(piece, ((x * c - y * s, x * s + y * c) for x, y in piece.corners))
        for piece in pieces
    ]


def _levelled(pieces: list[Piece]) -> list[Piece]:
    """With rows that are level: each point goes along the row through it to the middle of the page,
    and stays as high as that."""
    rows = sorted(_rows(pieces), key=lambda row: -row.length)[:MOST]
    if len(rows) < FEWEST:
        return pieces
    middle = _median((row.x, row.length) for row in rows)
    top = _median((row.y, row.length) for row in rows)
    growth = _median(_growths(rows, middle))
    slope = _median(
        (row.slope - growth * (row.height_at(middle) - top), row.length) for row in rows
    )

    def depth(x: float) -> float:
        return 1 + growth * (x - middle)

    if min(depth(x) for piece in pieces for x, _ in piece.corners) < LEAST_DEPTH:
        return pieces
    return [
        _moved(piece, ((x, (y - top - slope * (x - middle)) / depth(x)) for x, y in piece.corners))
        for piece in pieces
    ]


def _rows(pieces: Sequence[Piece]) -> list[_Row]:
    """The long lines; if they are few, what stands beside each other too."""
    lines = [
        _between(piece.middle, piece.along)
        for piece in pieces
        if piece.length >= LONG * piece.height and piece.along[0] > 0
    ]
    return lines if len(lines) >= FEWEST else lines + list(_beside_each_other(pieces))


def _beside_each_other(pieces: Sequence[Piece]) -> Iterator[_Row]:
    """From each piece to the next on its right that is about as high."""
    places = [(piece.middle, piece.height) for piece in pieces]
    for (x, y), height in places:
        beside = (
            (to_x - x, to_y - y)
            for (to_x, to_y), _ in places
            if to_x - x >= LONG * height and abs(to_y - y) < height / 2
        )
        if along := min(beside, default=None):
            yield _between((x + along[0] / 2, y + along[1] / 2), along)


def _between(middle: Point, along: Point) -> _Row:
    return _Row(*middle, slope=along[1] / along[0], length=hypot(*along))


def _growths(rows: Sequence[_Row], x: float) -> Iterator[tuple[float, float]]:
    """By how much the slope grows with each pixel downward, between any two rows; what is long and
    far apart counts for more (Theil and Sen's estimate)."""
    for one, other in combinations(rows, 2):
        down = other.height_at(x) - one.height_at(x)
        if down:
            yield (other.slope - one.slope) / down, min(one.length, other.length) * abs(down)


def _moved(piece: Piece, corners: Iterable[Point]) -> Piece:
    first, second, third, fourth = corners
    return Piece((first, second, third, fourth), piece.text)


def _median(weighed: Iterable[tuple[float, float]]) -> float:
    """The least value under which lies half of the weight; zero of none."""
    ordered = sorted(weighed)
    half = sum(weight for _, weight in ordered) / 2
    for value, weight in ordered:
        half -= weight
        if half <= 0:
            return value
    return 0.0
