"""Correlation id: created or taken over at the edge, passed on with every call."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from servers.runtime.call import Call, current, enter
from servers.runtime.ids import new_correlation_id
from servers.runtime.interceptors.chain import Around, Continuation, Incoming, with_headers

HEADER = "x-correlation-id"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Correlation(Around):
    """Opens the call's context. An id that is no id, and so could forge log lines, is replaced."""

    @asynccontextmanager
    async def around(self, call: Incoming) -> AsyncIterator[None]:
        """Makes the call the current one and tells its id to the client."""
        correlation_id = accepted_id(call.header(HEADER))
        enter(Call(correlation_id, method=call.method))
        call.context.set_trailing_metadata(((HEADER, correlation_id),))
        yield


def accepted_id(given: str) -> str:
    """The id that was given, or a new one where it is none."""
    return given if _ACCEPTED.fullmatch(given) else new_correlation_id()


async def send_correlation(
    continuation: Continuation, details: grpc.aio.ClientCallDetails, request: Any
) -> Any:
    """Passes the current correlation id on."""
    return await continuation(with_headers(details, (HEADER, current().correlation_id)), request)
