"""Counts and times of every call, on both sides."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from prometheus_client import Counter, Histogram

from servers.runtime.interceptors.chain import Around, Incoming

REQUESTS = Counter("kari_chat_requests_total", "Calls served.", ("module", "method", "code"))
LATENCY = Histogram(
    "kari_chat_request_latency_seconds",
    "Time from the first to the last byte of a call.",
    ("module",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
ERRORS = Counter("kari_chat_errors_total", "Errors told to callers.", ("module", "type", "reason"))


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
        module = module_of(call.method)
        code = grpc.StatusCode.OK
        try:
            yield
        except BaseException:
            code = grpc.StatusCode.CANCELLED
            raise
        finally:
            stated = call.context.code()
            code = stated if isinstance(stated, grpc.StatusCode) else code
            LATENCY.labels(module).observe(time.perf_counter() - began)
            REQUESTS.labels(module, call.method.rpartition("/")[2], code.name).inc()
