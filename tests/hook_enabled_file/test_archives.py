"""Archives: bombs, nests, viruses within, what nobody can look into."""

import bz2
import gzip
import json
import lzma
import random
import zipfile

import pytest

from servers.hook_enabled_file.rooms import READING, limits
from servers.runtime.limited import BytesSource, Room
from tests.hook_enabled_file import samples

EVIL = samples.zipped({"a": samples.EICAR})
FAR = EVIL + bytes(70_000)
"""It does not show at the end of what holds it."""
PLAIN = samples.tarred({"a": b"12", "b": b""})


async def look(
    room: Room, data: bytes, name: str = "", content_type: str = "", **bounds: object
) -> dict[str, object]:
    """What the reader of archives says."""
    asked = {"name": name, "content_type": content_type, "limits": bounds}
    request = json.dumps(asked).encode()
    bounds_ = limits(60, len(data))
    said = await room.whole(f"{READING}.archives:look", BytesSource(data), request, bounds_)
    found: dict[str, object] = json.loads(said)
    return found


@pytest.mark.parametrize(
    "data",
    [
        samples.zipped({"a.txt": b"words", "b.txt": b""}),
        samples.word("a document is a zip file as well"),
        samples.tarred({"a": b"12"}),
        samples.tarred({"a": b"12"}, "w:gz"),
        samples.tarred({"a": b"12"}, "w:xz"),
        samples.nested(4),
        samples.zipped({"tests.txt": b"a" * 100_000}),
        samples.old_tar("a.txt", b"words"),
        PLAIN[: 3 * 512],
        PLAIN + bytes(100_000),
        samples.tarred({"a" * 300: b"12"}),
        samples.mail(),
        samples.mail_with(samples.pdf(["a report"]), "report.pdf"),
        samples.forwarded(samples.mail(), 3),
        b"\n" + samples.zipped({"a.txt": b"words"}),
        b"if tail.startswith(b'PK\x05\x06'): found()" + bytes(40),
        b"Subject: matter\nhow do you do?",
        b"no archive at all",
        b"",
    ],
)
async def test_an_ordinary_archive_is_let_through(room: Room, data: bytes) -> None:
    assert (await look(room, data))["refused"] == ""


@pytest.mark.parametrize("packing", ["zip", "gz", "bz2", "xz"])
async def test_a_bomb_is_refused_early(room: Room, packing: str) -> None:
    """Long before it is unpacked, whatever its headers say."""
    found = await look(room, samples.bomb(60, packing))
    assert "200 times its size" in str(found["refused"])
    assert isinstance(found["bytes"], int)
    assert found["bytes"] < 25_000_000


async def test_a_bomb_within_archives_is_refused(room: Room) -> None:
    data = samples.zipped({"inner.tar.gz": samples.tarred({"z": bytes(60_000_000)}, "w:gz")})
    assert "200 times" in str((await look(room, data))["refused"])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (samples.nested(6), "more than 5 deep"),
        (samples.overlapping(), "share their bytes"),
        (samples.encrypted(), "encrypted"),
        (samples.zipped({"a": samples.EICAR}), "EICAR"),
        (samples.nested(3, samples.zipped({"a": samples.EICAR})), "EICAR"),
        (samples.tarred({"a": samples.EICAR}, "w:bz2"), "EICAR"),
        (samples.zipped({"scan.pdf": samples.program()}), "a program whose name"),
        (b"\n" + samples.zipped({"a": samples.EICAR}), "EICAR"),
        (b"\n" + samples.zipped({"ä": b"1"}).replace("ä".encode(), b"\xff\xff"), "broken"),
        (samples.picture("JPEG") + samples.zipped({"a": samples.EICAR}), "EICAR"),
        (samples.picture("JPEG") + samples.bomb(60), "200 times"),
        (b"PK00" + samples.zipped({"a": samples.EICAR}), "EICAR"),
        (samples.zipped({"a.bin": b"\n" + samples.zipped({"a": samples.EICAR})}), "EICAR"),
        (samples.zipped({"a.bin": b"\n" + samples.bomb(60)}), "200 times"),
        (samples.tarred({"a": b"1"}) + FAR, "hidden behind the end"),
        (samples.tar_with_behind(b"\xff" * 512, FAR), "hidden behind the end"),
        (samples.tar_with_behind(bytes(1024), FAR), "hidden behind the end"),
        (
            samples.zipped({"a.tar": samples.tar_with_behind(bytes(1024), FAR)}),
            "hidden behind the end",
        ),
        (gzip.compress(samples.tar_with_behind(b"\xff" * 512, FAR)), "hidden behind the end"),
        (samples.tar_of_type(b"Z", EVIL) + bytes(70_000), "EICAR"),
        (samples.tar_of_type(b"V", EVIL) + bytes(70_000), "EICAR"),
        (
            samples.zipped({"a": bz2.compress(b"1") + samples.zipped({"b": b"2"})}),
            "hidden behind the end of a bz2",
        ),
        (samples.old_tar("a", samples.zipped({"a": samples.EICAR})), "EICAR"),
        (samples.mail_with(samples.EICAR), "EICAR"),
        (samples.mail_with(samples.zipped({"a": samples.EICAR})), "EICAR"),
        (samples.mail_with(samples.bomb(60)), "200 times"),
        (samples.mail_with(samples.program(), "scan.pdf"), "a program whose name"),
        (samples.forwarded(samples.mail_with(samples.EICAR), 2), "EICAR"),
        (samples.forwarded(samples.mail(), 6), "more than 5 deep"),
        (samples.zipped({"a.eml": samples.mail_with(samples.EICAR)}), "EICAR"),
        (samples.mail_with(samples.mail_with(samples.EICAR), "a.eml"), "EICAR"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(99), "type 7z"),
        (b"Rar!\x1a\x07\x01\0" + bytes(99), "type rar"),
        (samples.ar("data.zip", FAR), "type ar"),
        (samples.cpio(FAR), "type cpio"),
        (samples.disc(FAR), "type iso"),
        (b"\x1f\x9d\x90" + bytes(99), "type Z"),
        (lzma.compress(EVIL, format=lzma.FORMAT_ALONE), "type lzma"),
        (bytes(9000) + b"conectix" + bytes(504), "type vhd"),
        (samples.zipped({"a": samples.disc(b"")}), "type iso"),
        (samples.mail_with(samples.ar("data.zip", FAR), "a.deb"), "type ar"),
        (samples.zipped({"a": b"1" * 1000})[:-10], "broken"),
        (samples.tarred({"a": b"1" * 9000}, "w:gz")[:-30], "broken"),
    ],
)
async def test_what_must_not_pass_is_refused(room: Room, data: bytes, why: str) -> None:
    assert why in str((await look(room, data))["refused"])


async def test_what_an_archive_is_by_its_type_alone_is_refused(room: Room) -> None:
    """The store knows more kinds than show themselves by a mark."""
    found = await look(room, bytes(99), content_type="application/x-apple-diskimage")
    assert "type dmg" in str(found["refused"])


async def test_a_directory_may_stand_anywhere(room: Room) -> None:
    """Of a large zip file: jobs read their file in blocks of a mebibyte."""
    noise = random.Random(6).randbytes(1024 * 1024)
    for size in range(1024 * 1024 - 300, 1024 * 1024, 60):
        data = samples.zipped({"a": noise[:size], "b" * 100: b"2"}, method=zipfile.ZIP_STORED)
        assert (await look(room, data))["refused"] == ""


async def test_a_mail_holds_no_more_files_than_an_archive(room: Room) -> None:
    data = samples.mail_with(samples.zipped({str(n): b"" for n in range(11)}))
    assert "more than 10 files" in str((await look(room, data, files=10))["refused"])


async def test_more_files_than_allowed_are_refused(room: Room) -> None:
    data = samples.zipped({str(n): b"" for n in range(11)})
    assert "more than 10 files" in str((await look(room, data, files=10))["refused"])


async def test_more_bytes_than_allowed_are_refused(room: Room) -> None:
    data = samples.zipped({"a": bytes(2_000_000)})
    found = await look(room, data, total_bytes=1_000_000)
    assert "more than 1 MB" in str(found["refused"])


async def test_what_cannot_be_looked_into_may_be_allowed(room: Room) -> None:
    """It is told then."""
    found = await look(room, samples.encrypted(), encrypted="allow")
    assert found["notes"] == ["encrypted files were not looked into"]
    found = await look(room, samples.disc(b""), unknown="allow")
    assert (found["refused"], found["notes"]) == (
        "",
        ["an archive of the type iso was not looked into"],
    )
    found = await look(room, b"7z\xbc\xaf\x27\x1c" + bytes(99), unknown="allow")
    assert (found["refused"], found["notes"]) == (
        "",
        ["an archive of the type 7z was not looked into"],
    )
