"""Archives that hide within other files, and files that only look as if they held one."""

import bz2
import lzma
import random
import zipfile
from email.message import EmailMessage

import pytest

from servers.runtime.limited import Room
from tests.hook_enabled_file import samples
from tests.hook_enabled_file.test_archives import look

PICTURE = samples.picture("JPEG")
JUNK = random.Random(9).randbytes(512)
EVIL = {"a": samples.EICAR}
CUT = PICTURE + samples.unlisted({"a": JUNK * 9})[:-100]
MARKS = (
    b"Signatures: 7z\xbc\xaf\x27\x1c Rar!\x1a\x07\0 Rar!\x1a\x07\1\0 PK\x03\x04 PK\x01\x02 "
    b"PK\x05\x06 ustar\0"
)


def eight_bit_mail(data: bytes) -> bytes:
    """A mail behind whose last part something stands as it is."""
    message = EmailMessage()
    message["From"], message["Subject"] = "a@example.org", "Plans"
    message.set_content("See what is attached.")
    message.add_attachment(b"1", maintype="application", subtype="octet-stream")
    return bytes(message) + data


@pytest.mark.parametrize("archive", [samples.seven_zip(), samples.rar_4(), samples.rar_5()])
@pytest.mark.parametrize("before", [PICTURE, samples.program(), samples.pdf(["words"])])
async def test_an_archive_that_nobody_opens_does_not_hide(
    room: Room, before: bytes, archive: bytes
) -> None:
    """Usual programs find it by its signature. What was found is said, and the way out."""
    found = await look(room, before + archive + bytes(99), "holiday.jpg")
    kind = "7z" if archive[:1] == b"7" else "rar"
    assert f"type {kind} is hidden in it, at byte {len(before)}" in str(found["refused"])
    assert "upload what it holds by itself" in str(found["refused"])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (PICTURE + samples.rar_4(crc=1), "type rar is hidden"),
        (PICTURE + samples.rar_5(crc=1), "type rar is hidden"),
        (PICTURE + b"7z\xbc\xaf\x27\x1c\0\4" + bytes(24), "type 7z is hidden"),
        (PICTURE + bytes(3_000_000) + samples.seven_zip(), "type 7z is hidden"),
        (samples.zipped({"a.jpg": PICTURE + samples.seven_zip()}), "type 7z is hidden"),
        (samples.tarred({"a.jpg": PICTURE + samples.seven_zip()}, "w:gz"), "type 7z is hidden"),
        (samples.mail_with(PICTURE + samples.seven_zip()), "type 7z is hidden"),
        (eight_bit_mail(samples.seven_zip()), "type 7z is hidden"),
        (PICTURE + samples.seven_zip() + samples.zipped({"a": b"1"}), "type 7z is hidden"),
        (JUNK + samples.tarred(EVIL), "EICAR"),
        (JUNK * 3 + samples.old_tar("a", samples.EICAR), "EICAR"),
        (b"GIF89a" + samples.tarred(EVIL), "EICAR"),
        (JUNK + samples.tarred({"a": b"1"}) + JUNK + samples.tarred(EVIL), "EICAR"),
        (JUNK + samples.tarred({"a": samples.zipped(EVIL)}), "EICAR"),
        (samples.zipped({"a.bin": JUNK + samples.tarred(EVIL)}), "EICAR"),
        (PICTURE + samples.unlisted(EVIL), "EICAR"),
        (PICTURE + samples.unlisted(EVIL, method=zipfile.ZIP_STORED), "EICAR"),
        (PICTURE + samples.unlisted(EVIL, method=zipfile.ZIP_BZIP2), "EICAR"),
        (PICTURE + samples.unlisted({"a": samples.EICAR + JUNK * 9})[:-100], "EICAR"),
        (PICTURE + samples.streamed(samples.EICAR), "EICAR"),
        (PICTURE + samples.unlisted({"a": bytes(60_000_000)}), "200 times"),
        (samples.left_out(samples.EICAR), "EICAR"),
        (samples.left_out(samples.zipped(EVIL)), "EICAR"),
        (samples.unlisted(EVIL) + samples.zipped({"b": b"1"}), "EICAR"),
        (samples.zipped(EVIL) + samples.zipped({"b": b"1"}), "EICAR"),
        (
            samples.unlisted({"a": b"".join(b"%d" % n for n in range(9000))})[:-300]
            + samples.zipped({"b": b"1"}),
            "leaves out",
        ),
        (samples.zipped({"a": samples.left_out(samples.EICAR)}), "EICAR"),
        (samples.longer(b"1", samples.unlisted(EVIL)), "hidden behind a in the zip file"),
        (samples.shorter(samples.EICAR * 2, 2), "broken"),
        (samples.zipped({"a/": samples.EICAR}), "EICAR"),
        (PICTURE + samples.encrypted()[:40], "encrypted"),
        (
            PICTURE
            + samples.unlisted({"a": b"1"}).replace(b"\x14\0\0\0\x08", b"\x14\0\0\0\x09", 1),
            "zip",
        ),
        (samples.zipped({"a": b"1"}).replace(b"\x14\0\0\0\x08", b"\x14\0\0\0\0", 1), "broken"),
        (lzma.compress(b"1") + samples.seven_zip(), "hidden behind the end of a xz file"),
    ],
)
async def test_what_hides_is_found(room: Room, data: bytes, why: str) -> None:
    assert why in str((await look(room, data))["refused"])


async def test_what_is_too_large_to_be_opened_is_better_uploaded_alone(room: Room) -> None:
    """A file by itself is looked through as it comes."""
    large = PICTURE + bytes(65 * 1024 * 1024)
    packed = samples.zipped({"a.bin": large + samples.unlisted({"b": b"1"})})
    found = await look(room, packed, ratio=1e6)
    assert found["refused"] == "a.bin is too large to look into what it holds: upload it alone"
    packed = samples.zipped({"a.bin": large + samples.seven_zip()})
    assert "type 7z is hidden" in str((await look(room, packed, ratio=1e6))["refused"])
    assert (await look(room, packed, ratio=1e6, unknown="allow"))["refused"] == ""
    assert (await look(room, samples.zipped({"a.bin": large}), ratio=1e6))["refused"] == ""


async def test_what_hides_may_be_allowed(room: Room) -> None:
    """It is told then."""
    found = await look(room, PICTURE + samples.seven_zip(), unknown="allow")
    told = "an archive of the type 7z within it was not looked into"
    assert (found["refused"], found["notes"]) == ("", [told])


async def test_what_is_packed_in_a_document_and_broken_is_told(room: Room) -> None:
    """Parts of an old document may stand between those of what is packed in it."""
    found = await look(room, CUT)
    told = "something packed within it is broken: its beginning was looked through"
    assert (found["refused"], found["notes"]) == ("", [told])


@pytest.mark.parametrize(
    "data",
    [
        samples.pdf(["words"]),
        samples.pdf(["words"]) + samples.word("attached as it is"),
        samples.locked_pdf(),
        samples.word("words"),
        samples.workbook({"a": [["b", 1]]}),
        samples.slides("words"),
        samples.with_part(samples.word("words"), "word/media/image1.png", samples.picture()),
        samples.with_part(
            samples.word("a"), "word/embeddings/b.xlsx", samples.workbook({"c": [[1]]})
        ),
        *(samples.picture(kind, exif=True) for kind in ("JPEG", "PNG", "WEBP", "TIFF")),
        samples.program(),
        samples.program() + MARKS,
        samples.program() + MARKS.replace(b" ", bytes(8)) + bytes(99),
        b"".join(samples.program() + mark + JUNK for mark in MARKS.split(b" ")),
        samples.program() + samples.seven_zip().replace(b"\0\4", b"\0\5\1", 1),
        samples.program() + samples.unlisted({"a": b"1"}),
        samples.mail(),
        samples.mail_with(samples.word("words"), "a.docx"),
        samples.HTML,
        MARKS,
        samples.zipped({"a": MARKS, "b": b"1"}, method=zipfile.ZIP_STORED),
        samples.zipped({"a.jar": samples.zipped({"b": b"1"})}, method=zipfile.ZIP_STORED),
        samples.zipped({"a": b"1"}, method=zipfile.ZIP_LZMA),
        samples.zipped({"a": b"1" * 9000}, method=zipfile.ZIP_BZIP2),
        samples.zipped({"a/": b"", "a/b": b""}),
        samples.tarred({"a.zip": samples.zipped({"b": b"1"})}, "w:xz") + bytes(512),
        bz2.compress(b"1") + bytes(9) + bz2.compress(b"2"),
        samples.tarred({"a": MARKS}),
        JUNK + samples.tarred({"a": b"1"}) + JUNK,
        bytes(5000),
        b" " * 5000,
        b"0000400 " * 5000,
        random.Random(3).randbytes(300_000),
    ],
)
async def test_what_only_looks_so_is_let_through(room: Room, data: bytes) -> None:
    found = await look(room, data)
    assert (found["refused"], found["notes"]) == ("", [])
