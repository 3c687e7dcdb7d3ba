"""Which bytes a request asks for, and the headers of what is sent (RFC 9110, 13 and 14). Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from kari.conversation_models.v1.file_pb2 import File

_NOT_PLAIN = re.compile(r"[^ !#-.0-:<-\[\]-~]")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

# Shown in place; everything else is a download. None of these runs anything.
_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "text/plain")
# Played in place: a browser makes a page around them that asks for the same address again. It may,
# as a page of this host: requests of others come without the cookie. It has no scripts.
_PLAYED = ("audio/", "video/")
_POLICY = "sandbox; default-src 'none'"
_POLICY_PLAYED = "sandbox allow-same-origin; default-src 'none'; media-src 'self'"


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file; `length` 0 is all that follow."""

    offset: int = 0
    length: int = 0
    partial: bool = False


def span_of(header: str, size: int) -> Span | None:
    """What a Range header asks for; all of it where there is none, or one of another unit, of
    several ranges, or of nonsense. None if it asks for bytes that are not there."""
    found = _RANGE.fullmatch(header.strip())
    if found is None or found.group(0) == "bytes=-":
        return Span()
    first, last = found.groups()
    if not first:
        count = min(int(last), size)
        return Span(size - count, count, True) if count else None
    offset = int(first)
    end = min(int(last) + 1 if last else size, size)
    if last and int(last) < offset:
        return Span()
    return Span(offset, end - offset, True) if offset < size else None


def etag_of(file: File) -> str:
    """The validator of a file's bytes: the same for the same bytes only."""
    return f'"{file.sha256}"'


def is_same(header: str, file: File) -> bool:
    """Whether If-None-Match names the bytes of the file."""
    named = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in named or etag_of(file) in named


def range_of(headers: Mapping[str, str], file: File) -> str:
    """The Range header; none if If-Range names other bytes, or a time, which is no validator
    here: all of the file is sent then."""
    only_if = headers.get("if-range", "").strip()
    return headers.get("range", "") if only_if in ("", etag_of(file)) else ""


def unchanged_headers(file: File) -> Mapping[str, str]:
    """Headers of the answer to who has the bytes already."""
    return {"etag": etag_of(file), "cache-control": "private, no-cache"}


def headers_of(file: File, span: Span) -> Mapping[str, str]:
    """Headers with which bytes of a file are sent: nothing in it may run or be sniffed."""
    length = span.length or file.size_bytes - span.offset
    headers = {
        "content-type": file.content_type,
        "content-length": str(length),
        "accept-ranges": "bytes",
        **unchanged_headers(file),
        "content-disposition": disposition(file),
        "content-security-policy": _POLICY_PLAYED if _is_played(file) else _POLICY,
    }
    if span.partial:
        last = span.offset + length - 1
        headers["content-range"] = f"bytes {span.offset}-{last}/{file.size_bytes}"
    return headers


def disposition(file: File) -> str:
    """Whether a file is shown in place, and its name (RFC 6266): in full, and once more for clients
    that know ASCII alone."""
    shown = file.content_type.startswith(_SHOWN) or _is_played(file)
    kind = "inline" if shown else "attachment"
    plain = _NOT_PLAIN.sub("_", file.name)
    return f"{kind}; filename*=UTF-8''{quote(file.name, safe='')}; filename=\"{plain}\""


def _is_played(file: File) -> bool:
    """Playlists are not: they have other addresses in them."""
    kind = file.content_type.lower()
    return kind.startswith(_PLAYED) and "mpegurl" not in kind
