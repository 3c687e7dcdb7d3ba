"""Spans of the gateway: the root of everything that one client frame sets off."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, StatusCode

from gateway.actions import Cause

KEPT = 256
"""Roots that are kept a socket; older ones have no calls under way any more."""

_tracer = trace.get_tracer("kari")


class Spans:
    """The spans of one socket. Calls of one cause share a root, however long after each other."""

    def __init__(self) -> None:
        self._roots: dict[int, context.Context] = {}

    @contextmanager
    def around(self, cause: Cause, method: str) -> Iterator[None]:
        """Opens a span for a call: the cause's first one is the root of the others."""
        root = self._roots.get(cause.serial)
        kind = SpanKind.SERVER if root is None else SpanKind.INTERNAL
        attributes = {
            "kari.module": "gateway",
            "kari.correlation_id": cause.correlation_id,
            "rpc.method": method,
        }
        with _tracer.start_as_current_span(
            f"gateway {method}",
            root or context.Context(),
            kind,
            attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            if root is None:
                self._remember(cause)
            try:
                yield
            except Exception:
                span.set_status(StatusCode.ERROR)
                raise

    def _remember(self, cause: Cause) -> None:
        self._roots[cause.serial] = context.get_current()
        if len(self._roots) > KEPT:
            del self._roots[next(iter(self._roots))]
