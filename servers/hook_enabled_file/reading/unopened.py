"""How archives and disk images show themselves that nobody looks into here. Pure.

Packers of today write files of these kinds, or systems open them with a click: what is packed in
them is as near as in a zip file. The marks are those of file(1), as much of each as keeps it from
matching texts and chance.
"""

import re

IMAGE_BYTES = 0xA000
"""Of the beginning, within which an image of a disc says what it is."""
END_BYTES = 512
"""Of the end, where images of disks have a record."""
SECTOR = 2048
_DISC = (b"CD001", b"BEA01", b"NSR02", b"NSR03")
_MARKS = {
    "7z": rb"7z\xbc\xaf\x27\x1c",
    "rar": rb"Rar!\x1a\x07",
    "zst": rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",
    "cab": rb"MSCF\0{4}",
    "ar": rb"!<(?:arch|thin)>\n",
    "cpio": rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}"
    rb"|\xc7\x71.{19}[\0-\x03]|\x71\xc7.{18}[\0-\x03]",
    "Z": rb"\x1f\x9d[\x09-\x10\x89-\x90]",
    "lzma": rb"\x5d\0\0..(?:\xff{8}|.{5}\0{3})",
    "lzip": rb"LZIP[\0\x01]",
    "lz4": rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18",
    "lzop": rb"\x89LZO\0\r\n\x1a\n",
    "lha": rb"..-l(?:h[0-9dx]|z[s45])-",
    "arj": rb"\x60\xea.[\0-\x0a][\x1e-\x2e]",
    "ace": rb".{7}\*\*ACE\*\*",
    "szdd": rb"SZDD\x88\xf0\x27\x33",
    "rpm": rb"\xed\xab\xee\xdb",
    "xar": rb"xar!\0",
    "squashfs": rb"hsqs.{24}\x04\0|sqsh.{24}\0\x04",
    "wim": rb"MSWIM\0{3}",
    "vhd": rb"conectix\0",
    "vhdx": rb"vhdxfile",
    "qcow": rb"QFI\xfb",
}
_MARK = re.compile(
    b"|".join(b"(?P<k%d>%b)" % (n, mark) for n, mark in enumerate(_MARKS.values())), re.DOTALL
)
_NAMES = dict(zip((f"k{n}" for n in range(len(_MARKS))), _MARKS, strict=True))
TYPES = {
    "application/arj": "arj",
    "application/vnd.debian.binary-package": "ar",
    "application/vnd.ms-cab-compressed": "cab",
    "application/vnd.rar": "rar",
    "application/x-7z-compressed": "7z",
    "application/x-ace-compressed": "ace",
    "application/x-apple-diskimage": "dmg",
    "application/x-arc": "arc",
    "application/x-archive": "ar",
    "application/x-bzip3": "bzip3",
    "application/x-compress": "Z",
    "application/x-cpio": "cpio",
    "application/x-deb": "ar",
    "application/x-iso9660-image": "iso",
    "application/x-lha": "lha",
    "application/x-lz4": "lz4",
    "application/x-lzip": "lzip",
    "application/x-lzop": "lzop",
    "application/x-ms-compress-szdd": "szdd",
    "application/x-rar": "rar",
    "application/x-rpm": "rpm",
    "application/x-unix-archive": "ar",
    "application/x-vhd": "vhd",
    "application/x-xar": "xar",
    "application/zstd": "zst",
}
"""By their media types, as the store reads them from the content: marks are not all there is."""


def marked(start: bytes) -> str:
    """What kind begins so; empty if none."""
    found = _MARK.match(start)
    return _NAMES[str(found.lastgroup)] if found else ""


def image(beginning: bytes, end: bytes) -> str:
    """What kind of image of a disk has such a beginning and end; empty if none has."""
    if any(beginning[at : at + 5] in _DISC for at in range(0x8001, IMAGE_BYTES, SECTOR)):
        return "iso"
    last, shorter = end[-END_BYTES:], end[1 - END_BYTES :]
    if last.startswith(b"koly\0\0\0\4\0\0\2\0"):
        return "dmg"
    # Old programs wrote a byte less.
    return "vhd" if any(each.startswith(b"conectix\0") for each in (last, shorter)) else ""
