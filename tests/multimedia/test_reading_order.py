"""The order of text on a page, the size of passages, the moments of a video, the kinds of files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.multimedia.key_frames import moments
from servers.multimedia.kinds import Kind, kind_of
from servers.multimedia.passages import LONGEST, gathered, spoken
from servers.multimedia.reading_order import Box, paragraphs
from servers.multimedia.transcription import Segment, Transcription, segments_of
from servers.runtime.errors import InvalidRequest


def line(left: float, top: float, text: str, width: float = 300, height: float = 20) -> Box:
    return Box(left, top, left + width, top + height, text)


def test_a_title_stands_before_its_columns() -> None:
    """Prose is read down one column, then the next."""
    boxes = [line(400, 70 + 25 * n, f"right {n}") for n in range(4)]
    boxes += [line(0, 70 + 25 * n, f"left {n}") for n in range(4)]
    boxes.append(line(0, 10, "title", width=700))
    text = "\n".join(paragraphs(boxes)).splitlines()
    assert text == ["title", *(f"left {n}" for n in range(4)), *(f"right {n}" for n in range(4))]


def test_a_table_is_read_by_rows() -> None:
    """Cells are no prose, however far apart they stand."""
    boxes = [
        line(400 * column, 30 * row, f"{row}{column}", width=60)
        for column in range(3)
        for row in range(3)
    ]
    assert "\n".join(paragraphs(boxes)).splitlines() == ["00 01 02", "10 11 12", "20 21 22"]


def test_a_gap_begins_a_paragraph() -> None:
    assert paragraphs([line(0, 0, "a"), line(0, 24, "b"), line(0, 90, "c")]) == ["a\nb", "c"]


coordinate = st.floats(0, 3000)


@given(
    st.lists(st.tuples(coordinate, coordinate, st.floats(0, 500), st.floats(0, 90)), max_size=60)
)
def test_no_text_is_lost_or_doubled(places: list[tuple[float, float, float, float]]) -> None:
    """Wherever boxes stand, on top of each other as well."""
    boxes = [Box(x, y, x + w, y + h, f"w{n}") for n, (x, y, w, h) in enumerate(places)]
    words = " ".join(paragraphs(boxes)).split()
    assert sorted(words) == sorted(box.text for box in boxes)


@given(st.lists(st.text("ab \n", max_size=4000), max_size=5))
def test_passages_keep_every_word_and_are_short(texts: list[str]) -> None:
    found = list(gathered(texts))
    assert all(0 < len(passage) <= LONGEST for passage in found)
    assert "".join("".join(found).split()) == "".join("".join(texts).split())


def test_speech_is_gathered_into_passages_of_half_a_minute() -> None:
    segments = [(float(n), n + 1.0, f" word{n}.") for n in range(70)]
    found = list(spoken(segments))
    assert [begins for begins, _, _ in found] == [0, 30, 60]
    assert found[0][2].startswith("word0. word1.")


def test_moments_lie_within_a_video() -> None:
    assert moments(0, 8) == [0.0]
    assert moments(10, 8) == [2.5, 7.5]
    assert len(moments(3600, 8)) == 8


def test_what_a_service_says_of_times_is_kept_within_what_it_heard() -> None:
    """Some count beyond the end of what they were sent."""
    answer = Transcription(segments=[Segment(-3, 5, "a"), Segment(50, 400, "b")])
    assert list(segments_of(answer, 60, 100)) == [(60, 65, "a"), (100, 100, "b")]


@pytest.mark.parametrize(
    ("content_type", "head", "kind"),
    [
        ("image/png", b"", Kind.IMAGE),
        ("video/mp4", b"\0\0\0\x20ftypavif", Kind.IMAGE),
        ("video/mp4", b"\0\0\0\x20ftypisom", Kind.RECORDING),
        ("audio/mpeg", b"ID3", Kind.RECORDING),
        ("application/octet-stream", b"RIFF\0\0\0\0AVI ", Kind.RECORDING),
    ],
)
def test_a_file_is_read_as_what_it_is(content_type: str, head: bytes, kind: Kind) -> None:
    assert kind_of(content_type, head) is kind


@pytest.mark.parametrize("content_type", ["text/plain", "image/svg+xml", "", "application/zip"])
def test_what_is_neither_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        kind_of(content_type, b"")
