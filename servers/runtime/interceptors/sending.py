"""What every client interceptor is made of: a function that is asked once for each method, gives
one that may add to a call as it goes out, and that may want to know how the call ended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import grpc


@dataclass(slots=True)
class Outgoing:
    """A call as it goes out. `method` is its full path; headers are added to, the timeout may be
    changed."""

    method: str
    timeout: float | None
    headers: list[tuple[str, str | bytes]]


Ended = Callable[[grpc.StatusCode], None]
Begin = Callable[[Outgoing], Ended | None]
Send = Callable[[str], Begin]


class Sending:
    """The client interceptors of a server, outermost first: the same for calls over a socket and
    in process. Nothing of it waits, so it needs no task."""

    def __init__(self, sends: Sequence[Send]) -> None:
        self._sends = tuple(sends)

    def of(self, method: str) -> "Sender":
        """What happens to the calls of one method."""
        return Sender(tuple(send(method) for send in self._sends))


class Sender:
    """The client interceptors for the calls of one method."""

    __slots__ = ("_begins",)

    def __init__(self, begins: tuple[Begin, ...]) -> None:
        self._begins = begins

    def begin(self, call: Outgoing) -> Ended | None:
        """Adds to a call what has to go with it; gives what has to be told how it ended."""
        ends = [ended for begin in self._begins if (ended := begin(call)) is not None]
        if len(ends) > 1:
            return partial(_tell, ends)
        return ends[0] if ends else None


def _tell(ends: list[Ended], code: grpc.StatusCode) -> None:
    for ended in reversed(ends):
        ended(code)
