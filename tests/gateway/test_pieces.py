"""Steps of an upload, as the gateway gathers them: pure, so no event loop."""

from gateway.pieces import LONGEST_SECONDS, PIECE_BYTES, Pieces


def test_bytes_of_a_slow_line_do_not_wait_until_there_is_a_piece() -> None:
    """Whoever takes them would think that nothing comes."""
    now = [0.0]
    pieces = Pieces(lambda: now[0])
    pieces.add(b"slow")
    assert list(pieces.full()) == []
    now[0] = LONGEST_SECONDS + 1
    (piece,) = pieces.full()
    assert bytes(piece.data) == b"slow"
    pieces.add(b"ly")
    assert list(pieces.full()) == []
    pieces.add(bytes(PIECE_BYTES))
    (piece,) = pieces.full()
    assert len(piece.data) == PIECE_BYTES + 2
