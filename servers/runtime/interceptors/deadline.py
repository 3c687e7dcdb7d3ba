"""Deadlines: what remains of a call's time is passed on; grpc.aio does not do so by itself."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import amend, current
from servers.runtime.errors import TimedOut
from servers.runtime.interceptors.chain import (
    Around,
    Continuation,
    Incoming,
    Send,
    path_of,
)
from servers.runtime.policy import Policies

SLACK_SECONDS = 1.0
ROOM_SECONDS = 0.02


class Deadline(Around):
    """Ends a call at the earlier of the client's deadline and the contract's."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    @asynccontextmanager
    async def around(self, call: Incoming) -> AsyncIterator[None]:
        """Sets the deadline of everything that is done for the call."""
        given = _with_room(call.context.time_remaining())
        seconds = _earlier(given, self._policies.of(call.method).deadline)
        if seconds is None:
            yield
            return
        amend(deadline=asyncio.get_running_loop().time() + seconds)
        try:
            async with asyncio.timeout(seconds) as limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimedOut(
                Reason.REASON_DEADLINE, f"not done within {seconds:.1f} s", timeout=seconds
            ) from None


def send_deadline(contracts: Mapping[str, float | None]) -> Send:
    """Gives a call what remains of the current one's time. One that is made outside of any, as a
    turn's are, has its contract's deadline, by full path: a peer that hangs is not waited for."""

    async def send(
        continuation: Continuation, details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        timeout = _earlier(details.timeout, current().remaining())
        if timeout is None:
            timeout = _with_slack(contracts.get(path_of(details)))
        changed = grpc.aio.ClientCallDetails(
            details.method, timeout, details.metadata, details.credentials, details.wait_for_ready
        )
        return await continuation(changed, request)

    return send


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
