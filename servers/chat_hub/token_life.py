"""A stream lasts no longer than the token with which it was opened.

Calls are checked when they come in; a stream would otherwise be read for hours under a token that
ended, and the calls that the hub makes for it would be refused one by one.
"""

import math
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from kari.errors.v1.errors_pb2 import Reason
from servers.chat_hub.waiting import Waiting
from servers.runtime.call import Principal
from servers.runtime.errors import Unauthenticated

T = TypeVar("T")


async def while_valid(
    who: Principal, responses: AsyncGenerator[T, None]
) -> AsyncGenerator[T, None]:
    """The responses, until the token of `who` ends; then Unauthenticated. One that says no end has
    none. Whoever gives up reading closes this, and with it the responses."""
    waiting = Waiting()
    async with aclosing(responses):
        try:
            while True:
                left = _seconds_left(who)
                try:
                    response = await waiting.wait(anext(responses), left)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    if not waiting.late:
                        raise
                    raise _ended() from None
                yield response
        finally:
            waiting.close()


def _seconds_left(who: Principal) -> float:
    """Raises Unauthenticated if there are none."""
    if who.expires_at <= 0:
        return math.inf
    left = who.expires_at - time.time()
    if left <= 0:
        raise _ended()
    return left


def _ended() -> Unauthenticated:
    return Unauthenticated(
        Reason.REASON_TOKEN_EXPIRED,
        "the access token has expired; refresh it and open the stream again",
        error_code="TOKEN_EXPIRED",
    )
