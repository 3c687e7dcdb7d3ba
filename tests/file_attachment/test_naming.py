"""Names as people see them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.file_attachment.naming import LONGEST, LONGEST_BYTES, cleaned


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\notes.txt", "notes.txt"),
        ("a\nb\tc.txt", "a b c.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("..", "file"),
        ("", "file"),
        ("/", "file"),
        ("   ", "file"),
        ("a\0b.txt", "a b.txt"),
        ("Ärger über Öl.docx", "Ärger über Öl.docx"),
        ("x" * 4096 + ".pdf", "x" * (LONGEST - 4) + ".pdf"),
        ("x" * 4096, "x" * LONGEST),
        ("\u0416" * 150 + ".pdf", "\u0416" * 115 + ".pdf"),
        ("\u732b" * 200, "\u732b" * 78),
        ("x" + "\U0001f44b\U0001f3fd" * 50 + ".png", "x" + "\U0001f44b\U0001f3fd" * 28 + ".png"),
        (
            "a" + "\u0e01\u0e33" * 3 + "\u0e01\u0e49" * 60,
            "a" + "\u0e01\u0e33" * 3 + "\u0e01\u0e49" * 36,
        ),
    ],
)
def test_a_name_is_cleaned(given_name: str, shown: str) -> None:
    assert cleaned(given_name) == shown


@given(st.text(max_size=5000))
def test_no_name_is_a_path_or_moves_a_cursor(name: str) -> None:
    """Whatever it was."""
    shown = cleaned(name)
    assert 0 < len(shown) <= LONGEST
    assert len(shown.encode()) <= LONGEST_BYTES
    assert not {"/", "\\", "\n", "\0", "\u202e"} & set(shown)
    assert shown not in (".", "..")
