"""How audit is put together."""

from kari.audit.v1.audit_pb2_grpc import add_AuditServiceServicer_to_server
from servers.audit.appending import Appending
from servers.audit.chain import Key
from servers.audit.checkpoint import Checkpoint
from servers.audit.reading import Reading
from servers.audit.servicer import Audit
from servers.audit.store import Trail
from servers.composition.serving import served
from servers.runtime.bootstrap import Hosted
from servers.runtime.keys import audit_key
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    key = Key(audit_key(w.keys.audit))
    trail = Trail(w.database("audit", largest=4), key)
    appending = Appending(trail)
    checkpoint = Checkpoint(w.settings.data / "audit.checkpoint", trail, key)

    async def close() -> None:
        await appending.close()
        await checkpoint.write()

    return served(
        "audit",
        add_AuditServiceServicer_to_server,
        Audit(appending, Reading(trail, key, checkpoint)),
        loops=(checkpoint.run,),
        close=close,
    )
