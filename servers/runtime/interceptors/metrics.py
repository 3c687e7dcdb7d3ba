"""Counts and times of every call, on both sides."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from prometheus_client import Counter, Histogram

from kari.errors.v1.errors_pb2 import ErrorType, Reason
from servers.runtime.interceptors.chain import (
    Around,
    Continuation,
    Incoming,
    Send,
    path_of,
    when_ended,
)
from servers.runtime.names import short

REQUESTS = Counter("kari_chat_requests_total", "Calls served.", ("module", "method", "code"))
LATENCY = Histogram(
    "kari_chat_request_latency_seconds",
    "Time from the first to the last byte of a call.",
    ("module",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
CALLS = Counter("kari_chat_peer_calls_total", "Calls made.", ("caller", "callee", "code"))
ERRORS = Counter("kari_chat_errors_total", "Errors told to callers.", ("module", "type", "reason"))


def count_error(module: str, kind: ErrorType.ValueType, reason: Reason.ValueType) -> None:
    """Counts an error that `module` told its caller."""
    ERRORS.labels(module, short(ErrorType, kind), Reason.Name(reason)).inc()


def module_of(method: str) -> str:
    """Name of the server in a method's path: `chat_hub` of `/kari.chat_hub.v1.X/Y`."""
    package = method[1:].partition("/")[0].split(".")
    return package[1] if len(package) > 2 and package[0] == "kari" else "infrastructure"


class Metrics(Around):
    """Counts every call with its code and times it."""

    @asynccontextmanager
    async def around(self, call: Incoming) -> AsyncIterator[None]:
        """Counts when the call has ended, however it did."""
        began = time.perf_counter()
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            module = module_of(call.method)
            LATENCY.labels(module).observe(time.perf_counter() - began)
            name = call.method.rpartition("/")[2]
            REQUESTS.labels(module, name, call.code(error).name).inc()


def send_metrics(name: str) -> Send:
    """Counts the calls that server `name` makes, by callee and code: a peer that is away shows
    here, not in its own counts."""

    async def send(
        continuation: Continuation, details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        callee = module_of(path_of(details))
        call = await continuation(details, request)
        when_ended(call, lambda code: CALLS.labels(name, callee, code.name).inc())
        return call

    return send
