"""Errors of the mesh as a capsule sees them, and those of a capsule as the mesh does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import grpc

from kari.errors.v1.errors_pb2 import Reason
from servers.capsules.skill import SkillError
from servers.runtime.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    KariError,
    NotFound,
    RateLimited,
    TimedOut,
    Unavailable,
    from_rpc,
)

LONGEST_MESSAGE = 1000

CLASSES: Mapping[Reason.ValueType, type[KariError]] = {
    Reason.REASON_TOOL_NOT_ALLOWED: Forbidden,
    Reason.REASON_ROLE_MISSING: Forbidden,
    Reason.REASON_APPROVAL_REQUIRED: Forbidden,
    Reason.REASON_FIELD_INVALID: InvalidRequest,
    Reason.REASON_TOOL_ARGUMENTS: InvalidRequest,
    Reason.REASON_TOO_LARGE: InvalidRequest,
    Reason.REASON_TOOL_DEPTH: InvalidRequest,
    Reason.REASON_TOOL_RATE: RateLimited,
    Reason.REASON_TOOL_NOT_FOUND: NotFound,
    Reason.REASON_CONVERSATION_NOT_FOUND: NotFound,
    Reason.REASON_TURN_NOT_FOUND: NotFound,
    Reason.REASON_RUN_NOT_FOUND: NotFound,
    Reason.REASON_TOOL_TIMEOUT: TimedOut,
    Reason.REASON_DEADLINE: TimedOut,
    Reason.REASON_MODEL_TOO_SMALL: Conflict,
    Reason.REASON_RUN_UNDER_WAY: Conflict,
}
"""What kind of error a capsule means by a reason; the rest are something that is unavailable."""


class PeerFailed(SkillError):
    """A peer of the server failed or refused; `error` is the whole of what it said."""

    def __init__(self, error: KariError) -> None:
        super().__init__(Reason.Name(error.reason), error.message)
        self.error = error


@contextmanager
def as_skill_errors() -> Iterator[None]:
    """What peers and stores raise, as a capsule may catch it."""
    try:
        yield
    except KariError as error:
        raise PeerFailed(error) from error
    except grpc.aio.AioRpcError as failure:
        raise PeerFailed(from_rpc(failure)) from failure


def refused(message: str) -> SkillError:
    """The manifest does not allow it."""
    return SkillError("REASON_TOOL_NOT_ALLOWED", message)


def failed(message: str) -> KariError:
    """The capsule itself failed."""
    return Unavailable(Reason.REASON_CAPSULE_FAILED, message[:LONGEST_MESSAGE], retryable=False)


def error_of(raised: SkillError) -> KariError:
    """Why a run failed whose capsule raised this."""
    if isinstance(raised, PeerFailed):
        return raised.error
    known = {name: number for name, number in Reason.items() if number}
    reason = known.get(raised.reason, Reason.REASON_CAPSULE_FAILED)
    cls = CLASSES.get(reason, Unavailable)
    return cls(
        reason, str(raised.message)[:LONGEST_MESSAGE], retryable=None if cls is TimedOut else False
    )
