"""What a file is, by its content."""

import pytest

from servers.file_attachment.content_type import DISC, EDGE_BYTES, TEXT, UNKNOWN, content_type


def judged(data: bytes) -> str:
    """The type of a whole file."""
    return content_type(data[:EDGE_BYTES], data[-EDGE_BYTES:])


@pytest.mark.parametrize("size", [500, 4096, 200_000])
@pytest.mark.parametrize("piece", [b"a", b".", b"-" * 79 + b"\n", "é".encode()])
def test_text_that_repeats_itself_is_text(piece: bytes, size: int) -> None:
    assert judged(piece * (size // len(piece))) == TEXT


@pytest.mark.parametrize("size", [500, 4096, 200_000])
@pytest.mark.parametrize("piece", [b"\0", b"\xff", b"\x90"])
def test_bytes_that_repeat_themselves_are_unknown(piece: bytes, size: int) -> None:
    """Neither text nor the image of a disc, which an archive would be refused as."""
    assert judged(piece * size) == UNKNOWN


def test_silence_at_the_beginning_is_no_disc() -> None:
    assert judged(bytes(70_000) + bytes(range(1, 256)) * 40) != DISC


def test_an_image_of_a_disc_has_its_mark() -> None:
    blank = bytes(16 * 2048)
    assert judged(blank + b"\1CD001\1" + bytes(200_000)) == DISC
