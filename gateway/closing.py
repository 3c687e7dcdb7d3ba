"""Why a socket is closed, as a table.

The number alone tells a client whether to come back: 3000-3499 and 4000-4499 do, every other code
that we send does not. Of the codes that RFC 6455 fixes, clients come back after 1001, 1006, 1011
and 1012: those are accidents of the way, not answers. Pure.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Closing:
    """One way for a socket to end. `reason` is for people and logs, at most 123 bytes."""

    code: int
    reason: str


GOING_AWAY = Closing(3001, "the server is stopping; come back")
INTERNAL = Closing(3004, "internal error; come back")
TOKEN_EXPIRED = Closing(3005, "the access token has ended; refresh it and come back")
TOO_SLOW = Closing(3008, "the reader took nothing for too long; come back and resume")
TOO_FAST = Closing(3009, "too many frames in too short a time; come back later")
SESSION_ENDED = Closing(3500, "the session has ended; sign in")
RUBBISH = Closing(3501, "too many frames in a row were not of the contract")
TOO_MANY_CONNECTIONS = Closing(3505, "this user has too many open sockets")

CLOSINGS = (
    GOING_AWAY,
    INTERNAL,
    TOKEN_EXPIRED,
    TOO_SLOW,
    TOO_FAST,
    SESSION_ENDED,
    RUBBISH,
    TOO_MANY_CONNECTIONS,
)
"""Every closing that the gateway sends of its own accord."""

ACCIDENTS = frozenset({1001, 1006, 1011, 1012})
"""Codes of RFC 6455 after which a client comes back."""


def comes_back(code: int) -> bool:
    """Whether a client that was closed with `code` should open another socket."""
    return 3000 <= code <= 3499 or 4000 <= code <= 4499 or code in ACCIDENTS
