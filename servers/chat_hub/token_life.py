"""A stream lasts no longer than the token with which it was opened.

Calls are checked when they come in; a stream would otherwise be read for hours under a token that
ended, and the calls that the hub makes for it would be refused one by one.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import Unauthenticated

T = TypeVar("T")


async def while_valid(
    who: Principal, responses: AsyncGenerator[T, None]
) -> AsyncGenerator[T, None]:
    """The responses, until the token of `who` ends; then Unauthenticated. One that says no end has
    none. Whoever gives up reading closes this, and with it the responses."""
    async with aclosing(responses):
        while True:
            try:
                async with asyncio.timeout(_seconds_left(who)) as limit:
                    response = await anext(responses)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if not limit.expired():
                    raise
                raise _ended() from None
            yield response


def _seconds_left(who: Principal) -> float | None:
    """None is for ever. Raises Unauthenticated if there are none."""
    if who.expires_at <= 0:
        return None
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
