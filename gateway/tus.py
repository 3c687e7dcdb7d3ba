"""The tus protocol (1.0.0) as headers have it. Pure."""

import base64
import binascii
from collections.abc import Mapping

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest

TUS = {"tus-resumable": "1.0.0"}
OFFERED = {**TUS, "tus-version": "1.0.0", "tus-extension": "creation,termination"}
CHUNK_TYPE = "application/offset+octet-stream"


def require_tus(headers: Mapping[str, str]) -> None:
    """InvalidRequest if it is of another protocol, or version."""
    if headers.get("tus-resumable") != TUS["tus-resumable"]:
        raise InvalidRequest(Reason.REASON_FRAME_INVALID, "send `Tus-Resumable: 1.0.0`")


def number_of(headers: Mapping[str, str], header: str) -> int:
    """The number of bytes that a header tells; InvalidRequest if it tells none."""
    value = headers.get(header, "")
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise InvalidRequest(
            Reason.REASON_FIELD_INVALID,
            f"send `{header}` with a number of bytes",
            violations=[(header, "is no number of bytes")],
        )
    return int(value)


def metadata_of(header: str) -> dict[str, str]:
    """tus' pairs of a key and a value in base64, separated by commas."""
    found = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidRequest(
                Reason.REASON_FIELD_INVALID,
                f"`{key[:50]}` of Upload-Metadata is no text in base64",
                violations=[("upload-metadata", "is not as tus has it")],
            ) from None
    return found
