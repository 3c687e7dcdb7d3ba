"""Text in pieces."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kari.conversation_models.v1.file_pb2 import Anchor, SheetRow, TextChunk
from servers.hook_enabled_file.chunking import LONGEST_TOKENS, chunks, tokens

TEXT = st.text(st.sampled_from("ab cé.!?。\n日本 \t\"'0"), max_size=600)
PLACES = st.one_of(
    st.builds(lambda n: Anchor(page=n), st.integers(1, 4)),
    st.builds(lambda n: Anchor(line=n), st.integers(1, 9)),
    st.builds(
        lambda s, n: Anchor(row=SheetRow(sheet=s, row=n)), st.sampled_from("AB"), st.integers(1, 9)
    ),
)
SEGMENTS = st.lists(st.builds(lambda t, a: TextChunk(text=t, anchor=a), TEXT, PLACES), max_size=8)


def bare(texts: list[str]) -> str:
    """What is left without white space."""
    return "".join("".join(texts).split())


@settings(max_examples=60)
@given(SEGMENTS)
def test_nothing_is_lost_and_nothing_said_twice(segments: list[TextChunk]) -> None:
    """In order, too."""
    pieces = list(chunks(segments))
    assert bare([p.text for p in pieces]) == bare([s.text for s in segments])


@settings(max_examples=60)
@given(SEGMENTS)
def test_pieces_are_numbered_and_have_a_place(segments: list[TextChunk]) -> None:
    """One of those that the file has; none is empty, none too long."""
    pieces = list(chunks(segments))
    places = {segment.anchor.SerializeToString() for segment in segments}
    assert [piece.index for piece in pieces] == list(range(len(pieces)))
    for piece in pieces:
        assert piece.anchor.SerializeToString() in places
        assert piece.text.strip()
        assert tokens(piece.text) <= LONGEST_TOKENS
        assert len(piece.text) <= 16 * LONGEST_TOKENS


@settings(max_examples=40)
@given(st.text(max_size=2000))
def test_any_text_is_cut(text: str) -> None:
    segment = TextChunk(text=text.encode("utf-8", "replace").decode(), anchor=Anchor(line=1))
    assert bare([p.text for p in chunks([segment])]) == bare([segment.text])


def test_pages_share_no_piece() -> None:
    """Or what is quoted could stand on another one."""
    segments = [TextChunk(text=f"Page {n}.", anchor=Anchor(page=n)) for n in (1, 2)]
    assert [(p.text, p.anchor.page) for p in chunks(segments)] == [("Page 1.", 1), ("Page 2.", 2)]


def test_lines_share_pieces_as_long_as_there_is_room() -> None:
    """A piece is at the place where it begins."""
    lines = [
        TextChunk(text=f"Line {n} says a little.", anchor=Anchor(line=n)) for n in range(1, 99)
    ]
    pieces = list(chunks(lines))
    assert len(pieces) < 6
    assert pieces[1].text.startswith(f"Line {pieces[1].anchor.line} ")


def test_a_piece_ends_where_a_sentence_does() -> None:
    words = "It goes on and on with many words that say very little indeed. "
    pieces = list(chunks([TextChunk(text=words * 60, anchor=Anchor(page=1))]))
    assert len(pieces) > 3
    assert all(piece.text.endswith("indeed.") for piece in pieces)


def test_a_text_without_ends_is_cut_between_words() -> None:
    pieces = list(chunks([TextChunk(text="word " * 2000, anchor=Anchor(page=1))]))
    assert {word for piece in pieces for word in piece.text.split()} == {"word"}


def test_white_space_without_end_makes_no_long_piece() -> None:
    text = f"a{' ' * 50_000}b\n{chr(9) * 50_000}c"
    pieces = list(chunks([TextChunk(text=text, anchor=Anchor(page=1))]))
    assert bare([p.text for p in pieces]) == "abc"
    assert max(len(p.text) for p in pieces) <= 16 * LONGEST_TOKENS


def test_dots_without_end_take_no_time() -> None:
    """They are a way to make patterns slow."""
    assert list(chunks([TextChunk(text="." * 200_000 + "a", anchor=Anchor(page=1))]))
