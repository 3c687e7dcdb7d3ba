"""The call being served: who calls, for whom, under which id, until when.

Kept in a context variable, so that logs and outgoing calls know it without being told.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from servers.runtime.ids import new_correlation_id

ADMIN = "chat.admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose call it is, as the token says."""

    user_id: str
    tenant_id: str
    roles: frozenset[str]
    session_id: str = ""
    expires_at: float = 0.0
    token: str = field(default="", repr=False)
    name: str = ""
    """What others call them; empty if the token does not say."""

    def missing(self, roles: frozenset[str]) -> frozenset[str]:
        """Those of `roles` that the principal lacks; `chat.admin` contains all others."""
        return frozenset() if ADMIN in self.roles else roles - self.roles


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `deadline` is in the event loop's time; None means none."""

    correlation_id: str
    method: str = ""
    principal: Principal | None = None
    caller: str = ""
    deadline: float | None = None
    turn_id: str = ""

    def remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - asyncio.get_running_loop().time())


_current: ContextVar[Call | None] = ContextVar("call", default=None)


def current() -> Call:
    """The call being served. Outside of any there is an empty one with a new correlation id."""
    call = _current.get()
    if call is None:
        call = Call(correlation_id=new_correlation_id())
        _current.set(call)
    return call


def principal() -> Principal:
    """Whose call it is. Only for methods whose policy asks for a user."""
    found = current().principal
    if found is None:
        raise LookupError("this method's policy lets calls without a user through")
    return found


def enter(call: Call) -> None:
    """Makes `call` the current one of this task."""
    _current.set(call)


def limit(deadline: float) -> None:
    """Sets the deadline of the current call."""
    now = current()
    _current.set(
        Call(now.correlation_id, now.method, now.principal, now.caller, deadline, now.turn_id)
    )


def admit(who: Principal | None, caller: str) -> None:
    """Sets for whom the current call is made, and by which server."""
    now = current()
    _current.set(Call(now.correlation_id, now.method, who, caller, now.deadline, now.turn_id))


@contextmanager
def acting(call: Call) -> Iterator[Call]:
    """Acts under another call for a while, such as a turn that outlives its request."""
    before = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(before)
