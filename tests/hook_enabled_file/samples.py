"""Files of many kinds, made by their own libraries where there are any. They are small."""

import bz2
import email
import email.policy
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from email.message import EmailMessage

import docx
import openpyxl
import pptx
from PIL import Image
from pptx.util import Inches

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def pdf(pages: Sequence[str], *, extra: str = "", info: str = "") -> bytes:
    """A PDF with a line of text a page; `extra` goes into its catalog, `info` is its title."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(count))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {extra} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, text in enumerate(pages):
        content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * n} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    return _written(objects, info)


def _written(objects: list[str], info: str) -> bytes:
    if info:
        objects = [*objects, f"<< /Title ({info}) /Author (Ada Secret) >>"]
    out, offsets = bytearray(b"%PDF-1.4\n"), list[int]()
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R"
    if info:
        trailer += f" /Info {len(objects)} 0 R"
    out += f"trailer\n<< {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def looping_pdf() -> bytes:
    """Its tree of pages holds itself, and its cross-reference table leads back to itself."""
    looped = pdf(["never seen"]).replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]")
    start = looped.rindex(b"startxref")
    offset = int(looped[start:].split()[1])
    return looped.replace(b"/Size 6", b"/Size 6 /Prev %d" % offset)


def locked_pdf() -> bytes:
    """It asks for a password: its standard security handler has keys that no empty one opens."""
    plain = pdf(["secret"])
    lock = (
        b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O ("
        + b"a" * 32
        + b") /U ("
        + b"b" * 32
        + b") >> /ID [(0123456789abcdef) (0123456789abcdef)] "
    )
    return plain.replace(b"/Root 1 0 R", lock + b"/Root 1 0 R")


def word(*paragraphs: str) -> bytes:
    """A Word document with paragraphs and a table."""
    document, out = docx.Document(), io.BytesIO()
    document.core_properties.author = "Ada Secret"
    for text in paragraphs:
        document.add_paragraph(text)
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left cell", "right cell"
    document.save(out)
    return out.getvalue()


def workbook(rows: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """An Excel workbook, by sheet."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for name, values in rows.items():
        sheet = book.create_sheet(name)
        for row in values:
            sheet.append(list(row))
    book.save(out)
    return out.getvalue()


def slides(*texts: str) -> bytes:
    """A PowerPoint presentation, a text a slide."""
    presentation, out = pptx.Presentation(), io.BytesIO()
    for text in texts:
        slide = presentation.slides.add_slide(presentation.slide_layouts[6])
        box = slide.shapes.add_textbox(Inches(1), Inches(1), Inches(5), Inches(1))
        box.text_frame.text = text
        slide.notes_slide.notes_text_frame.text = f"note on {text}"
    presentation.save(out)
    return out.getvalue()


def with_part(document: bytes, name: str, data: bytes) -> bytes:
    """An office document in which a part is another one."""
    with zipfile.ZipFile(io.BytesIO(document)) as packed:
        parts = {info.filename: packed.read(info) for info in packed.infolist()}
    return zipped({**parts, name: data})


HTML = b"""<!doctype html><html><head><title>A page</title><style>p{color:red}</style></head>
<body><h1>Heading</h1><p>First <b>bold</b> words.</p><script>steal()</script>
<ul><li>one</li><li>two</li></ul></body></html>"""


def mail() -> bytes:
    """A mail with two texts and an attached file."""
    message = EmailMessage()
    message["From"], message["To"] = "ada@example.org", "grace@example.org"
    message["Subject"] = "Über the engine"
    message.set_content("The engine weaves patterns.\n\nRegards")
    message.add_alternative("<p>The engine <b>weaves</b> patterns.</p>", subtype="html")
    message.add_attachment(b"123", maintype="application", subtype="zip", filename="plans.zip")
    return bytes(message)


def picture(format_: str = "PNG", exif: bool = False) -> bytes:
    """A small picture; with EXIF it tells who made it."""
    image, out = Image.new("RGB", (40, 30), "navy"), io.BytesIO()
    told = Image.Exif()
    if exif:
        told[0x010F], told[0x013B] = "Secret Camera", "Ada Secret"
    image.save(out, format=format_, exif=told)
    return out.getvalue()


def zipped(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return out.getvalue()


def unlisted(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file without its list: nothing but local headers says what is in it."""
    data = zipped(files, method=method)
    return data[: data.index(b"PK\x01\x02")]


def streamed(data: bytes) -> bytes:
    """A file as writers of streams put it into a zip file: its sizes stand behind it."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(data) + packer.flush()
    head = struct.pack("<4sHHHIIIIHH", b"PK\x03\x04", 20, 8, 8, 0, 0, 0, 0, 1, 0)
    sizes = struct.pack("<4sIII", b"PK\x07\x08", zlib.crc32(data), len(packed), len(data))
    return head + b"a" + packed + sizes


def left_out(data: bytes) -> bytes:
    """A zip file of two, of which its list names the first alone."""
    whole = zipped({"a": b"how do you do?", "b": data})
    first = whole.index(b"PK\x01\x02")
    second = whole.index(b"PK\x01\x02", first + 4)
    record = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, second - first, first, 0)
    return whole[:second] + record


def longer(data: bytes, behind: bytes) -> bytes:
    """A zip file whose list says that a packed file goes on where something else begins."""
    begins = zipped({"a": data})
    first = begins.index(b"PK\x01\x02")
    entry, size = bytearray(begins[first:]), first - 31 + len(behind)
    entry[20:24] = size.to_bytes(4, "little")
    end = entry.index(b"PK\x05\x06")
    entry[end + 16 : end + 20] = (first + len(behind)).to_bytes(4, "little")
    head = bytearray(begins[:first])
    head[6], head[18:22] = 8, bytes(4)  # its size stands behind it
    return bytes(head + behind + entry)


def shorter(data: bytes, size: int) -> bytes:
    """A zip file whose list says that a file ends after so many bytes."""
    whole = bytearray(zipped({"a": data}))
    entry = whole.index(b"PK\x01\x02")
    whole[entry + 16 : entry + 20] = zlib.crc32(data[:size]).to_bytes(4, "little")
    whole[entry + 24 : entry + 28] = size.to_bytes(4, "little")
    return bytes(whole)


def seven_zip() -> bytes:
    """An empty archive of 7z, its header under its CRC."""
    start = bytes(20)
    return b"7z\xbc\xaf\x27\x1c\0\4" + zlib.crc32(start).to_bytes(4, "little") + start


def rar_4(crc: int | None = None) -> bytes:
    """The beginning of an archive of RAR 4, with its main header."""
    main = struct.pack("<BHHHI", 0x73, 0, 13, 0, 0)
    said = zlib.crc32(main) & 0xFFFF if crc is None else crc
    return b"Rar!\x1a\x07\0" + said.to_bytes(2, "little") + main


def rar_5(crc: int | None = None) -> bytes:
    """The beginning of an archive of RAR 5, with its main header."""
    main = b"\x03\x01\0\0"
    said = zlib.crc32(main) if crc is None else crc
    return b"Rar!\x1a\x07\1\0" + said.to_bytes(4, "little") + main


def tarred(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    """A tar file, packed where the mode says so."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as packed:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return out.getvalue()


def nested(depth: int, innermost: bytes = b"at last") -> bytes:
    """Zip files within each other."""
    data = innermost
    for _ in range(depth):
        data = zipped({"inner.zip": data})
    return data


def bomb(megabytes: int = 100, packing: str = "zip") -> bytes:
    """A small file that unpacks to a large one."""
    zeros = bytes(megabytes * 1_000_000)
    packers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    return zipped({"zeros": zeros}) if packing == "zip" else packers[packing](zeros)


def overlapping() -> bytes:
    """A zip file whose members share their bytes, as the best bombs have it."""
    data = zipped({"a": bytes(50_000), "b": bytes(50_000)})
    entry = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    return data[: entry + 42] + bytes(4) + data[entry + 46 :]


def encrypted() -> bytes:
    """A zip file whose member says that it is encrypted."""
    data = bytearray(zipped({"a": b"secret"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def old_tar(name: str, data: bytes) -> bytes:
    """A tar file from before POSIX: nothing but its checksum says what it is."""
    head = bytearray(512)
    head[: len(name)] = name.encode()
    for at, field in ((100, "0000644"), (108, "0000000"), (116, "0000000"), (136, "00000000000")):
        head[at : at + len(field)] = field.encode()
    head[124:135] = f"{len(data):011o}".encode()
    head[148:156] = b" " * 8
    head[148:155] = f"{sum(head):06o}\0".encode()
    return bytes(head) + block(data) + bytes(1024)


def block(data: bytes) -> bytes:
    """Data as it stands in a tar file."""
    return data.ljust(-(-len(data) // 512) * 512, b"\0")


def tar_with_behind(between: bytes, data: bytes) -> bytes:
    """A tar file in which something that is no header comes before the next one, as tar goes on
    behind: what reads it in order may take it for the end."""
    first = tarred({"readme": b"how do you do?"})[:1024]
    return first + between + tarred({"evil.zip": data})


def tar_of_type(kind: bytes, data: bytes) -> bytes:
    """A tar file whose member is of that type."""
    out, info = io.BytesIO(), tarfile.TarInfo("a")
    info.size, info.type = len(data), kind
    with tarfile.open(fileobj=out, mode="w") as packed:
        packed.addfile(info, io.BytesIO(data))
    return out.getvalue()


def ar(name: str, data: bytes) -> bytes:
    """A file of ar, as Debian's packages are."""
    return b"!<arch>\n" + f"{name:16}{0:<12}{0:<6}{0:<6}{644:<8}{len(data):<10}`\n".encode() + data


def cpio(data: bytes) -> bytes:
    """A file of cpio, in the newer of its formats in text."""
    fields = (1, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, 5, 0)
    return b"070701" + "".join(f"{field:08X}" for field in fields).encode() + b"evil\0\0" + data


def disc(data: bytes) -> bytes:
    """The image of a disc, as far as it says what it is."""
    return bytes(0x8000) + b"\x01CD001\x01\0" + bytes(2040) + data


def mail_with(data: bytes, name: str = "plans.bin") -> bytes:
    """A mail to which a file is attached."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "Plans"
    message.set_content("See what is attached.")
    kinds = {"maintype": "application", "subtype": "octet-stream"}
    message.add_attachment(data, filename=name, **kinds)
    return bytes(message)


def forwarded(data: bytes, times: int) -> bytes:
    """A mail within a mail, so many times."""
    for _ in range(times):
        inner, outer = email.message_from_bytes(data, policy=email.policy.default), EmailMessage()
        outer["From"], outer["Subject"] = "a@example.org", "Fwd"
        outer.set_content("See below.")
        outer.add_attachment(inner)
        data = bytes(outer)
    return data


def program() -> bytes:
    """The beginning of a Windows program."""
    head = bytearray(512)
    head[:2], head[0x3C:0x40] = b"MZ", (0x80).to_bytes(4, "little")
    head[0x4E:0x75] = b"This program cannot be run in DOS mode."
    head[0x80:0x84] = b"PE\0\0"
    return bytes(head)
