"""What a file is read as. Pure."""

from enum import StrEnum

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest

# What magika calls AVIF is MP4: both are the same container.
STILL_BRANDS = (b"avif", b"avis", b"mif1", b"heic", b"heix", b"hevc", b"msf1")
HEAD_BYTES = 12


class Kind(StrEnum):
    """How a file is read."""

    IMAGE = "image"
    RECORDING = "recording"
    PDF = "pdf"


def is_image(content_type: str, head: bytes) -> bool:
    """Whether a file is an image, by its type and its first bytes."""
    if content_type.startswith("image/"):
        return content_type != "image/svg+xml"
    return head[4:8] == b"ftyp" and head[8:12] in STILL_BRANDS


def kind_of(content_type: str, head: bytes) -> Kind:
    """By its type and its first bytes; InvalidRequest if it is nothing of these."""
    if is_image(content_type, head):
        return Kind.IMAGE
    family = content_type.partition("/")[0]
    if family in ("audio", "video") or content_type in ("application/ogg", "application/mxf"):
        return Kind.RECORDING
    if content_type == "application/pdf" or head[:5] == b"%PDF-":
        return Kind.PDF
    # magika does not know some containers, AVI among them.
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"WAVE"):
        return Kind.RECORDING
    raise InvalidRequest(
        Reason.REASON_FILE_TYPE,
        f"{content_type or 'this'} is neither an image nor a recording",
        content_type=content_type,
    )
