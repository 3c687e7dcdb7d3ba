"""Text of mails: headers, texts, names of what is attached. Runs in a job."""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage, MIMEPart
from typing import IO

from selectolax.lexbor import LexborHTMLParser

from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.reading.markup import UNSHOWN
from servers.hook_enabled_file.reading.plain import decoded
from servers.hook_enabled_file.reading.segments import Bounds, behind, segment

HEADERS = ("From", "To", "Cc", "Date", "Subject")
MOST_PARTS = 500
_NO_HEADER = (ValueError, LookupError, AttributeError, TypeError)
"""What headers raise that are none."""


def read(stream: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """The headers first, then each text part; what is attached is named, not read."""
    data = stream.read(bounds.characters)
    message = email.message_from_bytes(data, policy=email.policy.default)
    headers = [f"{name}: {value}" for name in HEADERS if (value := _header(message, name))]
    if subject := _header(message, "Subject"):
        yield extracted.facts({"title": subject[:300]})
    line = 1
    if headers:
        yield segment("\n".join(headers), line=line)
    attached, twice = list[str](), _said_twice(message)
    for number, part in enumerate(message.walk()):
        if number >= MOST_PARTS:
            yield extracted.left_out(f"only the first {MOST_PARTS} parts were read")
            break
        if part.is_multipart():
            continue
        name, is_attached = _attached(part)
        if is_attached:
            attached.append(name or "without a name")
        elif part.get_content_maintype() == "text" and part not in twice:
            for text in _paragraphs(part):
                line += 1
                yield segment(text, line=line)
    if attached:
        yield segment(f"Attached: {', '.join(attached)}", line=line + 1)
        yield extracted.left_out(f"{len(attached)} attached files were named, not read")
    yield from behind(stream, bounds)


def _said_twice(message: EmailMessage) -> list[MIMEPart]:
    """Texts as HTML that are there as plain text as well."""
    found = list[MIMEPart]()
    for part in message.walk():
        if part.get_content_type() == "multipart/alternative" and part.is_multipart():
            parts = list(part.iter_parts())
            if any(each.get_content_type() == "text/plain" for each in parts):
                found += [each for each in parts if each.get_content_type() == "text/html"]
    return found


def _attached(part: EmailMessage) -> tuple[str, bool]:
    """The name of a part, and whether it is attached."""
    try:
        name = str(part.get_filename() or "")
        return name, bool(name) or part.get_content_disposition() == "attachment"
    except _NO_HEADER:
        return "", True


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except _NO_HEADER:
        return ""


def _paragraphs(part: EmailMessage) -> Iterator[str]:
    payload = part.get_payload(decode=True)
    text = decoded(payload) if isinstance(payload, bytes) else str(payload)
    if part.get_content_subtype() == "html":
        tree = LexborHTMLParser(text)
        tree.strip_tags(list(UNSHOWN))
        text = tree.text(separator="\n")
    for paragraph in text.replace("\r\n", "\n").split("\n\n"):
        if paragraph.strip():
            yield paragraph
