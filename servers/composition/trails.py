"""The ways of servers to the audit trail."""

from dataclasses import replace

from kari.audit.v1.audit_pb2 import AppendRequest
from kari.audit.v1.audit_pb2_grpc import AuditServiceStub
from servers.runtime.audit_trail import Append, AuditTrail
from servers.runtime.bootstrap import Hosted
from servers.wiring import Wiring


def trail_of(w: Wiring, name: str) -> AuditTrail:
    """The one way of a server to the trail."""
    if name not in w.trails:
        w.trails[name] = AuditTrail(_append_of(w, name))
    return w.trails[name]


def reporting(hosted: Hosted, trail: AuditTrail | None) -> Hosted:
    """A server with its way to the audit trail, if it has one."""
    if trail is None:
        return hosted
    own, before = hosted.close, hosted.flush

    async def flush() -> None:
        if before is not None:
            await before()
        await trail.flush()

    async def close() -> None:
        if own is not None:
            await own()
        await trail.close()

    return replace(hosted, loops=(*hosted.loops, trail.run), flush=flush, close=close)


def _append_of(w: Wiring, name: str) -> Append:
    stub = w.stub(name, "audit", AuditServiceStub)
    return lambda entries: stub.Append(AppendRequest(entries=entries))
