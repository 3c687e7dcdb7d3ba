"""The order of text on pages that were photographed askew."""

from collections.abc import Callable, Iterator
from math import cos, radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.multimedia.reading_order import paragraphs
from servers.multimedia.skew import Piece, Point, straightened

Lens = Callable[[float, float], Point]


def piece(left: float, top: float, text: str, width: float = 300, height: float = 20) -> Piece:
    """As it stands on an upright page."""
    right, bottom = left + width, top + height
    return Piece(((left, top), (right, top), (right, bottom), (left, bottom)), text)


def columns() -> Iterator[Piece]:
    yield piece(0, 0, "title", width=640)
    for left, column in ((0, "left"), (340, "right")):
        for row in range(12):
            yield piece(left, 60 + 28 * row, f"{column} {row}")


def receipt() -> Iterator[Piece]:
    for row in range(12):
        yield piece(0, 30 * row, f"name {row}", width=60 + 9 * row)
        yield piece(500, 30 * row, f"amount {row}", width=60)


COLUMNS = [
    "title",
    *(f"left {row}" for row in range(12)),
    *(f"right {row}" for row in range(12)),
]
RECEIPT = [f"name {row} amount {row}" for row in range(12)]


def turned(degrees: float) -> Lens:
    """Clockwise."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return lambda x, y: (x * c - y * s, x * s + y * c)


def from_the_side(nearer: float) -> Lens:
    """A page's right side is nearer than its left one, by so much of it."""

    def seen(x: float, y: float) -> Point:
        depth = 1 - nearer * (x - 320) / 640
        return (x - 320) / depth, (y - 200) / depth

    return seen


def through(lens: Lens, pieces: Iterator[Piece]) -> list[Piece]:
    return [_seen(lens, piece) for piece in pieces]


def _seen(lens: Lens, piece: Piece) -> Piece:
    one, two, three, four = (lens(x, y) for x, y in piece.corners)
    return Piece((one, two, three, four), piece.text)


def lines(pieces: list[Piece]) -> list[str]:
    return "\n".join(paragraphs(straightened(pieces))).splitlines()


@given(st.floats(-30, 30) | st.floats(75, 105))
def test_a_turned_page_is_read_as_if_it_lay_straight(degrees: float) -> None:
    """Columns one after the other, receipts by rows."""
    assert lines(through(turned(degrees), columns())) == COLUMNS
    assert lines(through(turned(degrees), receipt())) == RECEIPT


@given(st.floats(-0.25, 0.25), st.floats(-5, 5))
def test_lines_that_run_apart_are_read_one_after_the_other(nearer: float, degrees: float) -> None:
    """A page that was photographed from its side, and turned as well."""
    seen = through(from_the_side(nearer), columns())
    assert lines(through(turned(degrees), iter(seen))) == COLUMNS


@pytest.mark.parametrize("degrees", [-2, 2])
def test_cells_need_not_know_their_angle(degrees: float) -> None:
    """Corners of short pieces lie on a grid: they seem to be level where their row is not."""
    seen = [
        piece(*turned(degrees)(200 * column, 30 * row), f"{row}{column}", width=50)
        for row in range(8)
        for column in range(5)
    ]
    assert lines(seen) == [" ".join(f"{row}{column}" for column in range(5)) for row in range(8)]


def test_a_stamp_and_a_note_on_the_margin_do_not_turn_a_page() -> None:
    seen = through(turned(3), columns())
    seen += through(turned(40), iter([piece(900, 100, "stamp", width=600, height=60)]))
    seen += through(turned(93), iter([piece(0, 60, "note")]))
    page = [box for box in straightened(seen) if box.text not in ("stamp", "note")]
    assert max(box.height for box in page) < 21


def test_pages_with_little_text_are_read() -> None:
    assert straightened([]) == []
    assert lines([piece(5, 5, "1", width=8)]) == ["1"]
    assert lines(through(turned(9), iter([piece(0, 0, "a"), piece(0, 25, "b")]))) == ["a", "b"]


corners = st.tuples(*[st.tuples(st.floats(0, 3000), st.floats(0, 3000))] * 4)


@given(st.lists(corners, max_size=30))
def test_no_text_is_lost_or_doubled(
    places: list[tuple[Point, Point, Point, Point]],
) -> None:
    """Whatever corners were found."""
    pieces = [Piece(place, f"w{number}") for number, place in enumerate(places)]
    words = " ".join(paragraphs(straightened(pieces))).split()
    assert sorted(words) == sorted(piece.text for piece in pieces)
