"""What a mail holds, decoded: its texts, its attached files, the mails within it."""

import email.header
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from typing import IO


@dataclass(frozen=True)
class Part:
    """A part without parts of its own. `within` counts the mails around it but the first."""

    name: str
    data: bytes
    within: int


def parsed(stream: IO[bytes]) -> Message:
    """A mail. The older policy takes whatever comes and tells defects in silence."""
    return BytesParser(policy=email.policy.compat32).parse(stream)


def headers(message: Message) -> str:
    """All header fields, as people see them."""
    return "\n".join(f"{name}: {_shown(value)}" for name, value in message.items())


def parts(message: Message, within: int = 0) -> Iterator[Part]:
    """All of its parts, decoded, in their order."""
    if not message.is_multipart():
        yield Part(_name(message), _decoded(message), within)
        return
    attached = message.get_content_maintype() == "message"
    for part in message.get_payload():
        if not isinstance(part, Message):
            continue
        if attached and _encoding(message) == "base64":
            # Not allowed, and read by many: the mail within it is packed as a file would be.
            packed = _decoded_base64(str(part.get_payload()))
            yield Part(_name(message) or "attached.eml", packed, within)
        else:
            yield from parts(part, within + attached)


def _decoded(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else str(part.get_payload()).encode("utf-8", "replace")


def _decoded_base64(text: str) -> bytes:
    carrier = Message()
    carrier["Content-Transfer-Encoding"] = "base64"
    carrier.set_payload(text)
    return _decoded(carrier)


def _encoding(part: Message) -> str:
    return str(part.get("Content-Transfer-Encoding", "")).strip().lower()


def _name(part: Message) -> str:
    return str(part.get_filename() or "")


def _shown(value: object) -> str:
    try:
        return str(email.header.make_header(email.header.decode_header(str(value))))
    except (ValueError, LookupError):  # headers that are no headers
        return str(value)
