"""Spans: one for every call on each of its two sides, joined by the W3C trace context.

Written on the OpenTelemetry API because its gRPC instrumentation records success for aborted and
cancelled calls on the server side, and hides `cancel` of streams on the client side.

Where nothing is recorded, because there is no collector or because this trace is not sampled, the
ids of a trace are passed on all the same, and a call that has none costs next to nothing.
"""

from collections.abc import Mapping
from functools import partial

import grpc
from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode

from servers.runtime.call import current
from servers.runtime.interceptors.chain import Around, Enter, Incoming, Leave
from servers.runtime.interceptors.sending import Begin, Ended, Outgoing, Send

_tracer = trace.get_tracer("kari")
_NONE = Context()


class Tracing(Around):
    """A server span around every call."""

    def of(self, method: str) -> Enter:
        """Opens the span under the client's, if it sent one."""
        attributes = _attributes(method)

        def enter(call: Incoming) -> Leave | None:
            span = _tracer.start_span(
                method[1:],
                context=_sent(call.headers),
                kind=SpanKind.SERVER,
                attributes=attributes,
            )
            if not span.get_span_context().is_valid:
                return None
            token = context.attach(trace.set_span_in_context(span))
            _identify(span)

            def leave(error: BaseException | None) -> BaseException | None:
                context.detach(token)
                _end(span, call.code(error))
                return error

            return leave

        return enter


def send_tracing(name: str) -> Send:
    """Opens a client span for each call that server `name` makes and passes it on; it ends with
    the call."""

    def of(method: str) -> Begin:
        attributes = {**_attributes(method), "kari.module": name}

        def begin(call: Outgoing) -> Ended | None:
            span = _tracer.start_span(method[1:], kind=SpanKind.CLIENT, attributes=attributes)
            if span.get_span_context().is_valid:
                headers: dict[str, str] = {}
                propagate.inject(headers, context=trace.set_span_in_context(span))
                call.headers.extend(headers.items())
            if not span.is_recording():
                return None
            _identify(span)
            return partial(_end, span)

        return begin

    return of


def _sent(headers: Mapping[str, str | bytes]) -> Context:
    """What the client sent of its trace. A call without a trace begins one of its own."""
    if "traceparent" not in headers:
        return _NONE
    return propagate.extract(headers)


def _attributes(method: str) -> dict[str, str]:
    service, _, name = method[1:].rpartition("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}


def _identify(span: Span) -> None:
    span.set_attribute("kari.correlation_id", current().correlation_id)


def _end(span: Span, code: grpc.StatusCode) -> None:
    span.set_attribute("rpc.grpc.status_code", code.value[0])
    if code is not grpc.StatusCode.OK:
        span.set_status(StatusCode.ERROR, code.name)
    span.end()
