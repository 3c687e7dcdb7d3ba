"""Office documents of today: zip files of XML, with what they say of themselves. Runs in a job."""

import io
import zipfile
from collections.abc import Callable
from typing import IO, TypeVar

T = TypeVar("T")

_EMPTY = {
    "docProps/core.xml": (
        '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
        'core-properties"/>'
    ),
    "docProps/app.xml": (
        '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/'
        'extended-properties"/>'
    ),
    "docProps/custom.xml": (
        '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/'
        'custom-properties"/>'
    ),
}


def opened(opens: Callable[[IO[bytes]], T], stream: IO[bytes]) -> T:
    """A document. Where what it says of itself is broken it is opened without that."""
    try:
        return opens(stream)
    except SyntaxError:  # as lxml says of XML that is none
        stream.seek(0)
        return opens(io.BytesIO(without_properties(stream)))


def without_properties(stream: IO[bytes]) -> bytes:
    """A document without its authors, dates, title and company."""
    saved = io.BytesIO()
    with (
        zipfile.ZipFile(stream) as packed,
        zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as bare,
    ):
        for info in packed.infolist():
            data = _EMPTY[info.filename].encode() if info.filename in _EMPTY else packed.read(info)
            bare.writestr(zipfile.ZipInfo(info.filename), data, zipfile.ZIP_DEFLATED)
    return saved.getvalue()
