"""Deadlines: what remains of a call's time is passed on; grpc.aio does not do so by itself."""

import asyncio
from collections.abc import Mapping
from typing import cast

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import current, limit
from servers.runtime.errors import TimedOut
from servers.runtime.interceptors.chain import Around, Enter, Incoming, Leave
from servers.runtime.interceptors.sending import Begin, Outgoing, Send
from servers.runtime.policy import Policies

SLACK_SECONDS = 1.0
ROOM_SECONDS = 0.02


class Deadline(Around):
    """Ends a call at the earlier of the client's deadline and the contract's."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def of(self, method: str) -> Enter:
        """Sets the deadline of everything that is done for a call."""
        longest = self._policies.of(method).deadline

        def enter(call: Incoming) -> Leave | None:
            seconds = _earlier(_with_room(call.context.time_remaining()), longest)
            return None if seconds is None else _Limit(seconds).leave

        return enter


class _Limit:
    """Cancels the current task when its time is over: what asyncio.timeout does, without its
    coroutines and checks, at a fifth of the cost."""

    __slots__ = ("_before", "_over", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        task = cast("asyncio.Task[None]", asyncio.current_task())
        limit(loop.time() + seconds)
        self._task = task
        self._before = task.cancelling()
        self._seconds = seconds
        self._over = False
        self._timer = loop.call_later(seconds, self._expire)

    def leave(self, error: BaseException | None) -> BaseException | None:
        """A cancellation of ours becomes TimedOut, one by others stays what it is."""
        self._timer.cancel()
        if not self._over:
            return error
        alone = self._task.uncancel() <= self._before
        if not alone or not isinstance(error, asyncio.CancelledError):
            return error
        return TimedOut(
            Reason.REASON_DEADLINE,
            f"not done within {self._seconds:.1f} s",
            timeout=self._seconds,
        )

    def _expire(self) -> None:
        self._over = True
        self._task.cancel()


def send_deadline(contracts: Mapping[str, float | None]) -> Send:
    """Gives a call what remains of the current one's time. One that is made outside of any, as a
    turn's are, has its contract's deadline, by full path: a peer that hangs is not waited for."""

    def of(method: str) -> Begin:
        longest = _with_slack(contracts.get(method))

        def begin(call: Outgoing) -> None:
            call.timeout = _earlier(call.timeout, current().remaining())
            if call.timeout is None:
                call.timeout = longest

        return begin

    return of


def _with_slack(seconds: float | None) -> float | None:
    """A little more than the server's own, so that the server's answer is the one that counts."""
    return None if seconds is None else seconds + SLACK_SECONDS


def _with_room(remaining: float | None) -> float | None:
    """A little less, so that the answer that time is over arrives before it is."""
    return None if remaining is None else max(remaining - ROOM_SECONDS, remaining * 0.9)


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None:
        return other
    return one if other is None else min(one, other)
