"""Server frames, made. Pure."""

from collections.abc import Sequence

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.actions import Cause, Send
from kari.conversation_models.v1.degradation_pb2 import Degradation
from kari.edge.v1.frames_pb2 import Limits, ServerFrame, Welcome
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.durations import duration
from servers.runtime.errors import KariError, RateLimited


def tell(cause: Cause, **kind: Message) -> Send:
    """A frame of one kind, as the answer to `cause`."""
    frame = ServerFrame(id=cause.frame_id, correlation_id=cause.correlation_id, **kind)  # type: ignore[arg-type]  # one kind of frame
    return Send(frame)


def tell_error(cause: Cause, error: KariError) -> Send:
    """An error's envelope, as the answer to `cause`."""
    return tell(cause, error=error.envelope(cause.correlation_id))


def welcome(
    who: Principal, limits: Limits, heartbeat: float, degradations: Sequence[Degradation]
) -> Welcome:
    """What a client has to know; `heartbeat` is in seconds."""
    expires_at = Timestamp()
    expires_at.FromMicroseconds(int(who.expires_at * 1e6))
    return Welcome(
        session_id=who.session_id,
        user_id=who.user_id,
        tenant_id=who.tenant_id,
        roles=sorted(who.roles),
        expires_at=expires_at,
        limits=limits,
        heartbeat=duration(heartbeat),
        degradations=degradations,
    )


def too_fast(limit: int, seconds: float) -> RateLimited:
    """A socket sent more than `limit` frames in so many seconds."""
    return RateLimited(
        Reason.REASON_MESSAGE_RATE,
        f"{limit} frames in {seconds:.0f} s are allowed on a socket; come back later",
        retry_after=seconds,
        limit=limit,
        window="socket",
    )


def too_many(what: str, limit: int) -> RateLimited:
    """A socket asks for more at once than it may."""
    return RateLimited(
        Reason.REASON_MESSAGE_RATE,
        f"{limit} {what} on this socket; wait for one of them",
        retry_after=1.0,
        limit=limit,
        window="socket",
    )
