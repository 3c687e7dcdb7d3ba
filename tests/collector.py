"""An OpenTelemetry collector that keeps the spans it gets, for tests that follow a trace."""

import asyncio
from dataclasses import dataclass
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True)
class Span:
    """What tests need of a span; times in seconds."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    began: float
    ended: float
    status: int
    attributes: dict[str, str]


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """An async context manager; `endpoint` is for KARI_OTLP_ENDPOINT."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.endpoint = ""
        self._server: grpc.aio.Server | None = None
        self._came = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server()
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        self.endpoint = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        await self._server.stop(1)

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  # its contract's name
        """Keeps the spans of a batch."""
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(_span(span) for span in scope.spans)
        self._came.set()
        return trace_service_pb2.ExportTraceServiceResponse()

    async def quiet(self, seconds: float = 1.5) -> None:
        """Returns when nothing has come for a while: exporters send twice a second."""
        while True:
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), seconds)
            except TimeoutError:
                return


def _span(span: Any) -> Span:
    return Span(
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        name=span.name,
        kind=span.kind,
        began=span.start_time_unix_nano / 1e9,
        ended=span.end_time_unix_nano / 1e9,
        status=span.status.code,
        attributes={a.key: a.value.string_value for a in span.attributes},
    )
