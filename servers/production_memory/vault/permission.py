"""Who may write what the domain knows, and what is said of memories that are not there. Pure."""

from kari.errors.v1.errors_pb2 import Reason
from servers.production_memory.vault.memory import DOMAIN
from servers.runtime.call import Principal
from servers.runtime.errors import Forbidden, NotFound

EDITS_DOMAIN = "chat.config.edit"


def require_may_write(owner: str, who: Principal) -> None:
    """Forbidden if the memory would be the domain's and the caller lacks the role; NotFound if it
    is somebody else's, as if it were not there."""
    if owner == DOMAIN:
        if who.missing(frozenset({EDITS_DOMAIN})):
            raise Forbidden(
                Reason.REASON_ROLE_MISSING,
                f"what every user of the tenant reads is written with the role {EDITS_DOMAIN}",
                role=EDITS_DOMAIN,
            )
    elif owner != who.user_id:
        raise unknown_memory()


def unknown_memory() -> NotFound:
    """There is no such memory, or it is another one's."""
    return NotFound(
        Reason.REASON_MEMORY_NOT_FOUND, "there is no such memory among yours; list them to see"
    )


def unknown_receipt() -> NotFound:
    """There is no such receipt, or it is another one's."""
    return NotFound(Reason.REASON_RECEIPT_NOT_FOUND, "there is no such receipt among yours")
