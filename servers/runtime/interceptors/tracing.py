"""Spans: one for every call on each of its two sides, joined by the W3C trace context.

Written on the OpenTelemetry API because its gRPC instrumentation records success for aborted and
cancelled calls on the server side, and hides `cancel` of streams on the client side.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import grpc
from opentelemetry import context, propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from servers.runtime.call import current
from servers.runtime.interceptors.chain import (
    Around,
    Continuation,
    Incoming,
    Send,
    path_of,
    when_ended,
    with_headers,
)

_tracer = trace.get_tracer("kari")


class Tracing(Around):
    """A server span around every call."""

    @asynccontextmanager
    async def around(self, call: Incoming) -> AsyncIterator[None]:
        """Opens the span under the client's, if it sent one."""
        span = _tracer.start_span(
            call.method[1:],
            context=propagate.extract(call.headers),
            kind=SpanKind.SERVER,
            attributes=_attributes(call.method),
        )
        token = context.attach(trace.set_span_in_context(span))
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            context.detach(token)
            _end(span, call.code(error))


def send_tracing(name: str) -> Send:
    """Opens a client span for each call that server `name` makes and passes it on; it ends with
    the call."""

    async def send(
        continuation: Continuation, details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        method = path_of(details)
        attributes = {**_attributes(method), "kari.module": name}
        span = _tracer.start_span(method[1:], kind=SpanKind.CLIENT, attributes=attributes)
        headers: dict[str, str] = {}
        propagate.inject(headers, context=trace.set_span_in_context(span))
        try:
            call = await continuation(with_headers(details, *headers.items()), request)
        except BaseException:
            _end(span, grpc.StatusCode.CANCELLED)
            raise
        if span.is_recording():
            when_ended(call, partial(_end, span))
        return call

    return send


def _attributes(method: str) -> dict[str, str]:
    service, _, name = method[1:].rpartition("/")
    return {
        "rpc.system": "grpc",
        "rpc.service": service,
        "rpc.method": name,
        "kari.correlation_id": current().correlation_id,
    }


def _end(span: Span, code: grpc.StatusCode) -> None:
    span.set_attribute("rpc.grpc.status_code", code.value[0])
    if code is not grpc.StatusCode.OK:
        span.set_status(StatusCode.ERROR, code.name)
    span.end()
