"""Sessions that were signed out elsewhere: their tokens live on, their sockets do not."""

from collections.abc import Iterable

from gateway.shared import SharedCounters
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.ended_sessions import EndedSessions
from servers.runtime.errors import Unauthenticated


class Sessions:
    """Asks Redis which sessions were ended, while it is there."""

    def __init__(self, ended: EndedSessions, shared: SharedCounters) -> None:
        self._ended = ended
        self._shared = shared

    async def require_running(self, who: Principal) -> None:
        """Unauthenticated if the session of a token was ended."""
        if await self._was_ended(who.tenant_id, who.session_id):
            raise Unauthenticated(
                Reason.REASON_SESSION_REVOKED, "the session was signed out; sign in again"
            )

    async def ended_among(self, principals: Iterable[Principal]) -> set[str]:
        """Ids of those sessions that were ended."""
        sessions = {(who.tenant_id, who.session_id) for who in principals}
        return {session for tenant, session in sessions if await self._was_ended(tenant, session)}

    async def _was_ended(self, tenant_id: str, session_id: str) -> bool:
        """Nobody waits for a Redis that is known to be away."""
        return not self._shared.away and await self._ended.has(tenant_id, session_id)
