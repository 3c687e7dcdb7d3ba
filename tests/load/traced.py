"""What the spans of turns say: the steps of a turn, and what each arrow of the mesh costs. Pure."""

from collections.abc import Iterable
from importlib import import_module

from servers import topology
from servers.runtime.interceptors.metrics import module_of
from tests.collector import Span
from tests.load.measured import Spread, spread

SERVER = 2
ENOUGH = 10
"""Fewer calls than these say nothing."""


def routing(spans: Iterable[Span]) -> Spread:
    """Milliseconds from the gateway's span to the orchestrator's, trace by trace."""
    begins: dict[str, float] = {}
    arrivals: dict[str, float] = {}
    for span in spans:
        if span.name.endswith("SendMessage"):
            begins[span.trace] = min(span.began, begins.get(span.trace, span.began))
        elif span.kind == SERVER and _module(span) == "chat_orchestrator":
            arrivals.setdefault(span.trace, span.began)
    return spread(arrivals[trace] - begins[trace] for trace in arrivals.keys() & begins.keys())


def took(spans: Iterable[Span], method: str) -> Spread:
    """Milliseconds of a method, as its caller sees it."""
    return spread(
        s.ended - s.began for s in spans if s.kind != SERVER and s.name.endswith(f"/{method}")
    )


def arrows(spans: Iterable[Span]) -> dict[str, Spread]:
    """Milliseconds that unary calls take beyond their callees' own time, by `callee.method`."""
    by_id = {span.id: span for span in spans}
    costs: dict[str, list[float]] = {}
    for served in by_id.values():
        asked = by_id.get(served.parent)
        if served.kind == SERVER and asked is not None and _is_unary(served):
            beyond = (asked.ended - asked.began) - (served.ended - served.began)
            name = f"{_module(served)}.{served.name.rpartition('/')[2]}"
            costs.setdefault(name, []).append(beyond)
    return {name: spread(times) for name, times in sorted(costs.items()) if len(times) >= ENOUGH}


def _module(span: Span) -> str:
    return module_of(f"/{span.name.lstrip('/')}")


def _is_unary(span: Span) -> bool:
    name = _module(span)
    if name not in topology.NODES:
        return False
    contract = import_module(f"{topology.package_of(name)}.{name}_pb2").DESCRIPTOR
    service = contract.services_by_name[topology.service_of(name).rpartition(".")[2]]
    method = service.methods_by_name.get(span.name.rpartition("/")[2])
    return method is not None and not (method.server_streaming or method.client_streaming)
