"""Counts and times of every call, on both sides."""

import time
from collections.abc import Callable

import grpc
from prometheus_client import Counter, Histogram

from kari.errors.v1.errors_pb2 import ErrorType, Reason
from servers.runtime.interceptors.chain import Around, Enter, Incoming, Leave
from servers.runtime.interceptors.sending import Begin, Ended, Outgoing, Send
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

    def of(self, method: str) -> Enter:
        """Counts when a call has ended, however it did."""
        module = module_of(method)
        count = _by_code(REQUESTS, module, method.rpartition("/")[2])
        timed = LATENCY.labels(module).observe

        def enter(call: Incoming) -> Leave:
            began = time.perf_counter()

            def leave(error: BaseException | None) -> BaseException | None:
                timed(time.perf_counter() - began)
                count(call.code(error))
                return error

            return leave

        return enter


def send_metrics(name: str) -> Send:
    """Counts the calls that server `name` makes, by callee and code: a peer that is away shows
    here, not in its own counts."""

    def of(method: str) -> Begin:
        count = _by_code(CALLS, name, module_of(method))

        def begin(_call: Outgoing) -> Ended:
            return count

        return begin

    return of


def _by_code(counter: Counter, *labels: str) -> Ended:
    """Counts with labels of which the code is the last. Labels are looked up once a code: that
    costs five times what counting does."""
    counts: dict[grpc.StatusCode, Callable[[], None]] = {}

    def count(code: grpc.StatusCode) -> None:
        increase = counts.get(code)
        if increase is None:
            increase = counts[code] = counter.labels(*labels, code.name).inc
        increase()

    return count
