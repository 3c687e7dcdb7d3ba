"""Where `kari files download` puts a file."""

from pathlib import Path

from cli.file_downloads import place
from kari.conversation_models.v1.file_pb2 import File


def test_a_name_of_an_earlier_version_fits_into_the_file_system(tmp_path: Path) -> None:
    """Names were cut by characters once."""
    path = place(tmp_path, File(name="\u0416" * 196 + ".txt"))
    assert path.name == "\u0416" * 125 + ".txt"
    path.write_bytes(b"")


def test_a_name_leads_nowhere_else(tmp_path: Path) -> None:
    assert place(tmp_path, File(id="file_1", name="../..")) == tmp_path / "_"
    assert place(tmp_path, File(id="file_1", name="...")) == tmp_path / "file_1"
