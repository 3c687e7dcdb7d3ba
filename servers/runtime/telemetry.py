"""Logs, traces and the metrics port of a process."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import Counter, start_http_server
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

from servers.runtime.call import current
from servers.runtime.settings import Settings

LOST = Counter(
    "kari_chat_log_lines_lost_total", "Lines that could not be written, as on a full disk."
)


def configure_logging(level: str) -> None:
    """One JSON object a line on stderr, from structlog and the standard library alike."""
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_call,
    ]
    rendering: list[Processor] = [
        # Without locals: they hold what people wrote, tokens and passwords.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        structlog.processors.JSONRenderer(),
    ]
    number = logging.getLevelNamesMapping()[level.upper()]
    # Ours do without the standard library: a line costs a quarter then, and a turn has a dozen.
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Line,
        cache_logger_on_first_use=True,
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *rendering,
            ],
        )
    )
    logging.basicConfig(level=number, handlers=[handler], force=True)


def configure_tracing(settings: Settings, name: str) -> TracerProvider | None:
    """Exports spans to the collector of the settings; without one, ids are passed on and no more.
    Shut the provider down at the end, or the last spans are lost."""
    if settings.otlp_endpoint is None:
        return None
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint, insecure=True)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    trace.set_tracer_provider(provider)
    return provider


def serve_metrics(port: int, host: str) -> None:
    """Prometheus metrics of this process on a port of their own; 0 is off."""
    if port:
        start_http_server(port, host)


def _add_call(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    call = current()
    event["correlation_id"] = call.correlation_id
    if call.principal is not None:
        event["tenant"] = call.principal.tenant_id
    if call.turn_id:
        event["turn"] = call.turn_id
    return event


class _Line(structlog.WriteLogger):
    """Writes lines to stderr. Its name is that of the logger that was asked for."""

    def __init__(self, name: str = "") -> None:
        super().__init__(sys.stderr)
        self.name = name

    def msg(self, message: str) -> None:
        """Writes a line; one that cannot be written is counted. Whoever logs goes on: what they do
        must not fail because the disk of the log is full."""
        try:
            super().msg(message)
        except OSError:
            LOST.inc()

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


class _Handler(logging.StreamHandler[TextIO]):
    """The same for lines of libraries."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the base's name
        """Counts a line that cannot be written; other failures are told as ever."""
        if isinstance(sys.exception(), OSError):
            LOST.inc()
        else:
            super().handleError(record)
