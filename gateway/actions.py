"""What a session hands out: frames to send, calls to make, streams to read, the end. Pure."""

from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf.message import Message

from gateway.closing import Closing
from kari.edge.v1.frames_pb2 import ServerFrame
from servers.runtime.call import Principal


@dataclass(frozen=True, slots=True)
class Cause:
    """The client's frame that a call or an answer goes back to. `serial` tells frames apart whose
    client used an id twice."""

    frame_id: str
    correlation_id: str
    serial: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame. `refusal` marks the answer to one that was none of the contract."""

    frame: ServerFrame
    refusal: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Make a unary call to the hub. `counted` calls count against the message limits."""

    method: str
    request: Message
    cause: Cause
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """Read a stream of the hub, after `delay` seconds. A stream of the same key is closed first."""

    key: str
    method: str
    request: Message
    cause: Cause
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop reading a stream."""

    key: str


@dataclass(frozen=True, slots=True)
class Renew:
    """Find out whether the session of a renewed token still runs; go on as `principal` if so. No
    frame is read before that."""

    principal: Principal
    cause: Cause


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket once everything before this is sent."""

    closing: Closing


Action: TypeAlias = Send | Ask | Open | Stop | Renew | Close
