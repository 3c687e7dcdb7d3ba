"""The rules that come along: what they find, and what they leave alone."""

import json
from pathlib import Path

import pytest

from servers.hook_enabled_file.reading.scanning import WINDOW, windows
from servers.hook_enabled_file.rooms import READING, limits
from servers.runtime.limited import BytesSource, JobFailed, Room
from servers.runtime.limited.failures import Unreadable
from tests.hook_enabled_file import samples
from tests.hook_enabled_file.fuzzing import Sample

LAUNCHING = samples.pdf(["x"], extra="/OpenAction << /S /Launch /Win << /F (cmd) >> >>")
OLE = bytes.fromhex("d0cf11e0a1b11ae1")


async def found(room: Room, data: bytes, name: str = "a.bin", **asked: object) -> list[str]:
    """Rules that match."""
    request = json.dumps({"name": name, "carried": ["scan"], **asked}).encode()
    job = room.run(f"{READING}.scanning:scan", BytesSource(data), request, limits(60, len(data)))
    return [json.loads(piece)["rule"] async for piece in job]


@pytest.mark.parametrize(
    ("rule", "data", "name"),
    [
        ("eicar_test_file", samples.EICAR, "a.txt"),
        ("eicar_test_file", bytes(1000) + samples.EICAR + bytes(9), "a.bin"),
        ("program_named_as_document", samples.program(), "Invoice.PDF"),
        ("program_named_as_document", b"\x7fELF" + bytes(60), "photo.jpg"),
        ("document_with_program", samples.pdf(["x"]) + samples.program(), "a.pdf"),
        ("macro_that_starts_programs", OLE + b"..Sub AutoOpen()..WScript.Shell..", "a.doc"),
        ("pdf_that_starts_programs", b"\n" + LAUNCHING, "a.pdf"),
        ("pdf_that_starts_programs", bytes(1000) + LAUNCHING, "a.pdf"),
        (
            "pdf_that_starts_programs",
            samples.pdf(["x"], extra="/OpenAction << /S /Launch /Win << /F (cmd) >> >>"),
            "a.pdf",
        ),
        (
            "pdf_with_hostile_script",
            samples.pdf(
                ["x"], extra='/OpenAction << /S /JavaScript /JS (unescape\\("%u9090)>>'
            ).replace(b"unescape\\(", b"unescape("),
            "a.pdf",
        ),
        ("rtf_with_equation_exploit", b"{\\rt1{\\objdata 4571756174696f6e2e33}}", "a.rtf"),
        (
            "link_that_starts_shell",
            bytes.fromhex("4c0000000114020000000000c000000000000046")
            + "powershell".encode("utf-16le"),
            "a.lnk",
        ),
    ],
)
async def test_what_is_hostile_is_found(room: Room, rule: str, data: bytes, name: str) -> None:
    assert await found(room, data, name) == [rule]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (samples.pdf(["The quarterly report"], info="T"), "a.pdf"),
        (samples.word("Run cmd.exe, then powershell; AutoOpen is a macro"), "a.docx"),
        (samples.workbook({"S": [["1"]]}), "a.xlsx"),
        (samples.picture("JPEG", exif=True), "a.jpg"),
        (samples.HTML, "a.html"),
        (samples.program(), "setup.exe"),
        (b"The EICAR-STANDARD-ANTIVIRUS-TEST-FILE is a text of 68 bytes.", "a.md"),
        (b"import subprocess; subprocess.run(['powershell'])", "a.py"),
        (b"MZ is where a program begins; This program cannot be run in DOS mode", "a.txt"),
        (b"", "empty"),
    ],
)
async def test_everyday_files_are_left_alone(room: Room, data: bytes, name: str) -> None:
    assert await found(room, data, name) == []


async def test_what_lies_across_two_windows_is_found(room: Room) -> None:
    data = bytes(WINDOW - 30) + samples.EICAR + bytes(100)
    assert await found(room, data) == ["eicar_test_file"]


async def test_what_a_file_is_holds_for_all_of_it(room: Room) -> None:
    """Whichever part of it is looked through."""
    hidden = LAUNCHING[:9] + b" " * (WINDOW + 1_000_000) + LAUNCHING[9:]
    assert await found(room, hidden, "a.pdf") == ["pdf_that_starts_programs"]
    later = b"not a PDF".ljust(WINDOW) + LAUNCHING
    assert await found(room, later, "a.pdf") == []


async def test_a_file_that_ends_before_its_end_is_told(room: Room) -> None:
    """It does not keep its job busy."""

    class Shorter(BytesSource):
        @property
        def size(self) -> int:
            return super().size + 10

    request = json.dumps({"carried": ["scan"]}).encode()
    job = room.run(f"{READING}.scanning:scan", Shorter(b"words"), request, limits(60, 15))
    with pytest.raises(JobFailed):
        assert [piece async for piece in job]


def test_windows_never_stand_still() -> None:
    class Empty(Sample):
        def read_at(self, offset: int, length: int) -> bytes:
            return b""

    with pytest.raises(Unreadable):
        list(windows(Empty(b"words"), b""))  # type: ignore[arg-type]  # as good as one


async def test_active_content_is_named(room: Room) -> None:
    """For the policy, which may refuse it."""
    script = samples.pdf(["x"], extra="/OpenAction << /S /JavaScript /JS (1) >>")
    assert await found(room, script, carried=["active"]) == ["pdf_script"]
    macro = samples.zipped({"word/vbaProject.bin": b"x"})
    assert await found(room, macro, carried=["active"]) == ["office_macro"]
    assert await found(room, samples.HTML, carried=["active"]) == ["html_script"]


def test_every_rule_says_why() -> None:
    """People are told why their file was refused, whoever reads the rules why they are sound."""
    folder = Path(__file__).parents[2] / "servers" / "hook_enabled_file" / "rules"
    for path in folder.glob("*.yar"):
        text = path.read_text()
        assert text.count("\nrule ") == text.count("reason =")
    scan = (folder / "scan.yar").read_text()
    assert scan.count("\nrule ") == scan.count("note =")
