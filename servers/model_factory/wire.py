"""What both protocols of remote providers have in common. Pure."""

import math
import re
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from servers.model_factory.answer import ProviderEvent, Stopped
from servers.model_factory.events import EventStream, EventTooLarge, ServerSentEvent
from servers.model_factory.failure import Kind, ProviderFailure


class ErrorBody(msgspec.Struct, frozen=True):
    """The error of a provider. Its sentence is left out: it may quote the prompt or the key."""

    type: str | None = None
    code: Any = None


class ErrorAnswer(msgspec.Struct, frozen=True):
    """An answer that is an error; some servers put a bare string there."""

    error: ErrorBody | str | None = None


class Dialect(Protocol):
    """One protocol: what its events mean. `over` once nothing more will come."""

    over: bool

    def read(self, event: ServerSentEvent) -> list[ProviderEvent]:
        """What an event says. Raises msgspec.DecodeError, or ProviderFailure for an error."""


class Decoder:
    """Bytes of an answer to what they say."""

    def __init__(self, dialect: Dialect) -> None:
        self._stream = EventStream()
        self._dialect = dialect
        self.stopped = False
        self.failure: ProviderFailure | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._dialect.over

    def feed(self, chunk: bytes) -> list[ProviderEvent]:
        """What a chunk of bytes says. If it cannot be read, or says that the provider failed,
        `failure` is set; what was said before that counts."""
        events: list[ProviderEvent] = []
        try:
            for event in self._stream.feed(chunk):
                events += self._dialect.read(event)
        except ProviderFailure as failure:
            self.failure = failure
        except (msgspec.DecodeError, EventTooLarge, UnicodeDecodeError):
            self.failure = ProviderFailure(Kind.GARBAGE)
        self.stopped = self.stopped or any(isinstance(event, Stopped) for event in events)
        return events


def code_of(error: ErrorBody | str | None) -> str:
    """The short name of an error, if it is one: letters, digits and underscores."""
    if not isinstance(error, ErrorBody):
        return ""
    code = str(error.code or error.type or "")
    return code if re.fullmatch(r"\w{1,64}", code, re.ASCII) else ""


def code_in(body: bytes) -> str:
    """The short name of the error in an answer's body; empty if there is none."""
    try:
        return code_of(msgspec.json.decode(body, type=ErrorAnswer).error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds a provider asks to wait. Dates are not understood; APIs of models send seconds."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
