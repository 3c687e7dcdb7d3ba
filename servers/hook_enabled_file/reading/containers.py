"""What kinds of containers a file is. It may be several: what reads an archive from its end does
not mind what stands before it."""

import re
import struct
import tarfile
import zipfile
from typing import IO

from servers.hook_enabled_file.reading.unopened import END_BYTES, IMAGE_BYTES, TYPES, image, marked

START_BYTES = 1024
STREAMS = ("gz", "bz2", "xz")
"""Kinds that pack one stream."""
ZIP_END = b"PK\x05\x06"
TAIL_BYTES = 64 * 1024 + 22
"""Within it a zip file has the record that ends it: that record, and a comment behind it."""
NOT_A_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error)
_MAGIC = (
    *(
        ("zip", magic)
        for magic in (b"PK\x03\x04", ZIP_END, b"PK00PK\x03\x04", b"PK\x07\x08PK\x03\x04")
    ),
    ("gz", b"\x1f\x8b\x08"),
    ("xz", b"\xfd7zXZ\0"),
)
_MAIL_FIELDS = (
    b"received|return-path|delivered-to|from|to|cc|subject|date|message-id|mime-version|sender|"
    b"reply-to|content-type|content-transfer-encoding|dkim-signature|x-[a-z0-9-]+"
)
_MAIL = re.compile(rb"\s*(?:from [^\n]*\n)?(?:%s)[ \t]*:" % _MAIL_FIELDS, re.IGNORECASE)
MAIL_BYTES = 64 * 1024 * 1024
"""A mail is held in memory to be read."""
MAIL_NAMES = (".eml", ".mht", ".mhtml")


def kinds_of(stream: IO[bytes], name: str = "", content_type: str = "") -> list[str]:
    """Kinds of containers that a file is, the one that its beginning shows first. It is read at
    both of its ends, and stands at its beginning then."""
    stream.seek(0)
    start = stream.read(START_BYTES)
    kinds = [kind] if (kind := kind_of(start) or _image(stream)) else []
    if "zip" not in kinds and has_zip_end(stream):
        kinds.append("zip")
    if not kinds and content_type in TYPES:
        kinds.append(TYPES[content_type])
    if not kinds and is_mail(start, name, content_type, sure=stream.seek(0, 2) > MAIL_BYTES):
        kinds.append("mail")
    stream.seek(0)
    return kinds


def kind_of(start: bytes) -> str:
    """What kind of archive begins so; empty if none."""
    for kind, magic in _MAGIC:
        if start.startswith(magic):
            return kind
    if start.startswith(b"BZh") and start[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return "bz2"
    if start[257:262] == b"ustar" or _is_old_tar(start):
        return "tar"
    return marked(start)


def is_mail(start: bytes, name: str, content_type: str, *, sure: bool) -> bool:
    """Whether something is a mail by its type or its name, or, unless one has to be sure, by its
    beginning."""
    if content_type == "message/rfc822" or name.lower().endswith(MAIL_NAMES):
        return True
    return not sure and _MAIL.match(start) is not None


def has_zip_end(stream: IO[bytes]) -> bool:
    """Whether a file can be opened as a zip file by its end, whatever it begins with. That the
    signature stands there is not enough: programs hold it too."""
    try:
        if not zipfile.is_zipfile(stream):
            return False
        stream.seek(0)
        with zipfile.ZipFile(stream):
            return True
    except (UnicodeDecodeError, NotImplementedError):
        return True  # one with names or of a version that are not known here
    except NOT_A_ZIP:
        return False


def _image(stream: IO[bytes]) -> str:
    size = stream.seek(0, 2)
    stream.seek(max(0, size - END_BYTES))
    end = stream.read(END_BYTES)
    stream.seek(0)
    return image(stream.read(IMAGE_BYTES), end)


def _is_old_tar(start: bytes) -> bool:
    """By the checksum of its first header: tar had no other mark before POSIX."""
    try:
        tarfile.TarInfo.frombuf(start[:512], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True
