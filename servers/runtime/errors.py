"""What can go wrong, said once.

A class fixes the kind and with it the gRPC status; a `Reason` names the cause. Raise one of these
anywhere below a servicer: the errors interceptor turns it into a status with details. An error of
a peer arrives as `grpc.aio.AioRpcError`; `from_rpc` gives it back as one of these.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from kari.errors.v1.errors_pb2 import ErrorEnvelope, ErrorType, FieldViolation, Reason
from servers.runtime.durations import duration

DOMAIN = "kari.chat"


class KariError(Exception):
    """An error with everything a client is told about it. Raise a subclass."""

    type: ClassVar[ErrorType.ValueType] = ErrorType.ERROR_TYPE_INTERNAL
    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        reason: Reason.ValueType,
        message: str,
        *,
        retry_after: float | None = None,
        violations: Sequence[tuple[str, str]] = (),
        retryable: bool | None = None,
        **details: object,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.violations = tuple(violations)
        self.may_retry = type(self).retryable if retryable is None else retryable
        self.details = {name: str(value) for name, value in details.items()}

    def envelope(self, correlation_id: str) -> ErrorEnvelope:
        """The error as clients see it."""
        return ErrorEnvelope(
            type=self.type,
            message=self.message,
            retryable=self.may_retry,
            correlation_id=correlation_id,
            reason=self.reason,
            details=self.details,
            violations=[FieldViolation(field=f, description=d) for f, d in self.violations],
            retry_after=None if self.retry_after is None else duration(self.retry_after),
        )


class Unauthenticated(KariError):
    """Nobody is signed in, or not any more."""

    type = ErrorType.ERROR_TYPE_AUTHENTICATION
    status = grpc.StatusCode.UNAUTHENTICATED


class Forbidden(KariError):
    """Signed in, but may not."""

    type = ErrorType.ERROR_TYPE_PERMISSION
    status = grpc.StatusCode.PERMISSION_DENIED


class InvalidRequest(KariError):
    """The request itself is wrong; violations name the fields."""

    type = ErrorType.ERROR_TYPE_VALIDATION
    status = grpc.StatusCode.INVALID_ARGUMENT


class RateLimited(KariError):
    """Too much, too fast."""

    type = ErrorType.ERROR_TYPE_RATE_LIMIT
    status = grpc.StatusCode.RESOURCE_EXHAUSTED
    retryable = True


class NotFound(KariError):
    """There is no such thing, or none the caller may see."""

    type = ErrorType.ERROR_TYPE_NOT_FOUND
    status = grpc.StatusCode.NOT_FOUND


class Conflict(KariError):
    """The state does not allow it."""

    type = ErrorType.ERROR_TYPE_CONFLICT
    status = grpc.StatusCode.FAILED_PRECONDITION


class Unavailable(KariError):
    """Something needed is down."""

    type = ErrorType.ERROR_TYPE_UNAVAILABLE
    status = grpc.StatusCode.UNAVAILABLE
    retryable = True


class TimedOut(KariError):
    """It took too long."""

    type = ErrorType.ERROR_TYPE_TIMEOUT
    status = grpc.StatusCode.DEADLINE_EXCEEDED
    retryable = True


class CalledOff(KariError):
    """The caller or a user called it off."""

    type = ErrorType.ERROR_TYPE_CANCELLED
    status = grpc.StatusCode.CANCELLED


class Internal(KariError):
    """A defect. Its message never carries an exception's text."""

    def __init__(self) -> None:
        super().__init__(
            Reason.REASON_INTERNAL,
            "internal error; the correlation id finds it in the logs",
        )


CLASSES: Mapping[ErrorType.ValueType, type[KariError]] = {
    cls.type: cls
    for cls in (
        Unauthenticated,
        Forbidden,
        InvalidRequest,
        RateLimited,
        NotFound,
        Conflict,
        Unavailable,
        TimedOut,
        CalledOff,
    )
}

WITHOUT_ENVELOPE: Mapping[grpc.StatusCode, tuple[type[KariError], Reason.ValueType, str]] = {
    grpc.StatusCode.UNAVAILABLE: (
        Unavailable,
        Reason.REASON_SERVER_UNAVAILABLE,
        "a server of the mesh does not answer",
    ),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        TimedOut,
        Reason.REASON_DEADLINE,
        "the deadline of the call passed",
    ),
    # Who cancels a call sees no status of it: whoever sees this one had a peer that was stopped.
    grpc.StatusCode.CANCELLED: (
        Unavailable,
        Reason.REASON_SERVER_UNAVAILABLE,
        "a server of the mesh was stopped",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (
        InvalidRequest,
        Reason.REASON_TOO_LARGE,
        "the message is larger than 4 MiB",
    ),
}


def to_status(envelope: ErrorEnvelope, code: grpc.StatusCode) -> status_pb2.Status:
    """The envelope as a `google.rpc.Status` with the standard details beside it."""
    status = status_pb2.Status(code=code.value[0], message=envelope.message)
    info = error_details_pb2.ErrorInfo(
        reason=Reason.Name(envelope.reason), domain=DOMAIN, metadata=envelope.details
    )
    status.details.append(_packed(envelope))
    status.details.append(_packed(info))
    if envelope.HasField("retry_after"):
        status.details.append(
            _packed(error_details_pb2.RetryInfo(retry_delay=envelope.retry_after))
        )
    if envelope.violations:
        status.details.append(_packed(_bad_request(envelope)))
    return status


def from_rpc(error: grpc.aio.AioRpcError) -> KariError:
    """The error of a peer as one of ours; a status without our details becomes the nearest one."""
    envelope = envelope_of(error)
    if envelope is not None:
        return from_envelope(envelope)
    cls, reason, message = WITHOUT_ENVELOPE.get(error.code(), (None, None, None))
    if cls is None or reason is None or message is None:
        return Internal()
    return cls(reason, message)


def from_envelope(envelope: ErrorEnvelope) -> KariError:
    """The error that an envelope tells of."""
    cls = CLASSES.get(envelope.type)
    if cls is None:
        return Internal()
    error = cls(
        envelope.reason,
        envelope.message,
        retry_after=envelope.retry_after.ToTimedelta().total_seconds()
        if envelope.HasField("retry_after")
        else None,
        violations=[(v.field, v.description) for v in envelope.violations],
        retryable=envelope.retryable,
    )
    error.details = dict(envelope.details)
    return error


def envelope_of(error: grpc.aio.AioRpcError) -> ErrorEnvelope | None:
    """The envelope among a status' details, if there is one."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it asks for what both have
    for detail in status.details if status else ():
        if detail.Is(ErrorEnvelope.DESCRIPTOR):
            envelope = ErrorEnvelope()
            detail.Unpack(envelope)
            return envelope
    return None


def _packed(message: object) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)  # type: ignore[arg-type]  # any message type fits
    return packed


def _bad_request(envelope: ErrorEnvelope) -> error_details_pb2.BadRequest:
    return error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
            for v in envelope.violations
        ]
    )
