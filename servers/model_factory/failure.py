"""How providers fail, and what follows from each kind. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import KariError, TimedOut, Unavailable


class Kind(StrEnum):
    """Ways of failing; the label of metrics and logs."""

    CONNECT = "connect"
    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    SERVER = "server"
    CREDENTIALS = "credentials"
    REJECTED = "rejected"
    CUT = "cut"
    GARBAGE = "garbage"
    EXCESSIVE = "excessive"
    BREAKER_OPEN = "breaker_open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Consequence:
    """`again`: the same model may do better in a moment. `counts`: speaks against the provider as
    a whole, so its breaker hears of it."""

    again: bool
    counts: bool
    says: str


CONSEQUENCES: Mapping[Kind, Consequence] = {
    Kind.CONNECT: Consequence(again=True, counts=True, says="cannot be reached"),
    # Waiting as long a second time is worse than asking the next model.
    Kind.TIMEOUT: Consequence(again=False, counts=True, says="was silent for too long"),
    Kind.OVERLOADED: Consequence(again=True, counts=False, says="has no room at the moment"),
    Kind.SERVER: Consequence(again=True, counts=True, says="answered with an error"),
    Kind.CREDENTIALS: Consequence(again=False, counts=True, says="does not accept the key"),
    Kind.REJECTED: Consequence(again=False, counts=False, says="refused the request"),
    Kind.CUT: Consequence(again=True, counts=True, says="broke off"),
    Kind.GARBAGE: Consequence(again=False, counts=True, says="sent something unreadable"),
    Kind.EXCESSIVE: Consequence(
        again=False, counts=False, says="asked for more of tools than there is room for"
    ),
    Kind.BREAKER_OPEN: Consequence(
        again=False, counts=False, says="failed too often and is left alone for a while"
    ),
    Kind.CLOSED: Consequence(again=False, counts=False, says="is shutting down"),
}


class ProviderFailure(Exception):
    """A provider failed. `code` is its own short name of the error, never its sentence: that may
    quote the prompt or the key. `retry_after` and `timeout` in seconds."""

    def __init__(
        self,
        kind: Kind,
        *,
        status: int = 0,
        code: str = "",
        retry_after: float | None = None,
        timeout: float | None = None,
    ) -> None:
        super().__init__(f"{kind} {status or ''} {code}".strip())
        self.kind = kind
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.timeout = timeout

    @property
    def consequence(self) -> Consequence:
        """What follows from it."""
        return CONSEQUENCES[self.kind]


def of_status(status: int, code: str, retry_after: float | None) -> ProviderFailure:
    """The failure that an HTTP status tells of. 529 is Anthropic's `overloaded`."""
    return ProviderFailure(_kind_of(status), status=status, code=code, retry_after=retry_after)


def error_of(failure: ProviderFailure, provider: str) -> KariError:
    """The failure as callers are told."""
    message = f"provider {provider} {failure.consequence.says}"
    if failure.kind is Kind.TIMEOUT:
        return TimedOut(
            Reason.REASON_PROVIDER_TIMEOUT,
            message,
            provider=provider,
            timeout=f"{failure.timeout or 0:g}",
        )
    return Unavailable(
        Reason.REASON_PROVIDER_ERROR,
        message,
        retry_after=failure.retry_after,
        provider=provider,
        **details_of(failure),
    )


def details_of(failure: ProviderFailure) -> dict[str, Any]:
    """What may be told about a failure, by name."""
    details = {"kind": failure.kind.value, "status": str(failure.status or "")}
    return {name: value for name, value in {**details, "code": failure.code}.items() if value}


def _kind_of(status: int) -> Kind:
    if status in (401, 403):
        return Kind.CREDENTIALS
    if status in (408, 425, 429, 503, 529):
        return Kind.OVERLOADED
    return Kind.SERVER if status >= 500 else Kind.REJECTED
