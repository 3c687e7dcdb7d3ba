"""Forms with a file: `multipart/form-data` read as it comes, never gathered, never on a disk. Pure.

python-multipart finds the boundaries; what it finds comes out as events.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest

LONGEST_FIELD = 1000
FILE = "file"
"""The one field that holds a file."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that is no file, whole."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileBegins:
    """A file; its bytes follow. `at` is about how many bytes of the form are before them: exactly
    where its pieces are is the parser's."""

    name: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FileEnds:
    """The file is complete."""


Event: TypeAlias = Field | FileBegins | memoryview | FileEnds


@dataclass
class _Part:
    header_name: bytes = b""
    header_value: bytes = b""
    name: str = ""
    file_name: str | None = None
    begun: bool = False
    value: bytearray = field(default_factory=bytearray)


class Form:
    """One form."""

    def __init__(self, content_type: str) -> None:
        """InvalidRequest if that is no form's type."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in options:
            raise _no_form("send `multipart/form-data` with the file in the field `file`")
        self._events: list[Event] = []
        self._part = _Part()
        self._ended = False
        callbacks = {
            "on_part_begin": self._part_begins,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._part_ends,
            "on_end": self._form_ends,
        }
        self._tail = len(options[b"boundary"]) + len(b"\r\n----\r\n")
        self._fed = 0
        self._chunk = b""
        try:
            self._parser = MultipartParser(options[b"boundary"], callbacks)  # type: ignore[arg-type]
        except FormParserError:
            raise _no_form("the boundary of the form is too long") from None

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes bring. InvalidRequest if they are none of a form."""
        self._chunk = data
        try:
            self._parser.write(data)
        except FormParserError:
            raise _no_form("the form is broken") from None
        self._fed += len(data)
        events, self._events = self._events, []
        return events

    @property
    def ended(self) -> bool:
        """Whether the form is complete; one that is not was cut."""
        return self._ended

    def file_bytes(self, file: FileBegins, form_bytes: int) -> int:
        """About how many bytes the file has in a form of so many; 0 if that is not known."""
        return max(0, form_bytes - file.at - self._tail)

    def _part_begins(self) -> None:
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header_name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.header_value += data[start:end]

    def _header_ends(self) -> None:
        part = self._part
        if part.header_name.lower() == b"content-disposition":
            _, options = parse_options_header(part.header_value)
            part.name = options.get(b"name", b"").decode(errors="replace")
            if b"filename" in options:
                part.file_name = _unescaped(options[b"filename"]).decode(errors="replace")
        part.header_name = part.header_value = b""

    def _headers_end(self) -> None:
        part = self._part
        if part.file_name is not None and part.name != FILE:
            raise InvalidRequest(
                Reason.REASON_FIELD_INVALID,
                f"the field `{part.name[:50]}` holds a file; put it into the field `{FILE}`",
                violations=[(part.name[:50], "is no field for a file")],
            )

    def _file_begins(self, at: int) -> None:
        part = self._part
        if part.file_name is not None and not part.begun:
            part.begun = True
            self._events.append(FileBegins(part.file_name, at))

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        if part.file_name is not None:
            # What looked like a boundary comes from a chunk before, in a buffer of the parser.
            self._file_begins(self._fed + (start if data is self._chunk else 0))
            self._events.append(memoryview(data)[start:end])
            return
        part.value += data[start:end]
        if len(part.value) > LONGEST_FIELD:
            raise _no_form(f"the field `{part.name[:50]}` is too long")

    def _part_ends(self) -> None:
        part = self._part
        if part.file_name is not None:
            self._file_begins(self._fed)
            self._events.append(FileEnds())
        else:
            self._events.append(Field(part.name, part.value.decode(errors="replace")))

    def _form_ends(self) -> None:
        self._ended = True


def _unescaped(name: bytes) -> bytes:
    """A name as its browser had it: the standard of HTML writes these three in place of what would
    end the header, and nothing else, so no other `%` means anything."""
    return name.replace(b"%22", b'"').replace(b"%0D", b"\r").replace(b"%0A", b"\n")


def _no_form(message: str) -> InvalidRequest:
    return InvalidRequest(Reason.REASON_FRAME_INVALID, message)
