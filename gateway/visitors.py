"""Who makes a request over HTTP: as sockets do, with a token or the cookie of an own page."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.requests import Request

from gateway.credentials import Upgrade, token_of
from gateway.hub import Hub
from gateway.sessions import Sessions
from servers.runtime.call import Call, Principal, acting, current


class Visitors:
    """Lets requests in and acts for their users."""

    def __init__(
        self,
        hub: Hub,
        sessions: Sessions,
        verify: Callable[[str], Principal],
        origins: frozenset[str],
    ) -> None:
        self._hub = hub
        self._sessions = sessions
        self._verify = verify
        self._origins = origins

    @asynccontextmanager
    async def admitted(self, request: Request, method: str) -> AsyncIterator[Principal]:
        """Calls of that method of the hub inside the block are made for the request's user. Raises
        Unauthenticated and Forbidden."""
        reads = request.method in ("GET", "HEAD")
        upgrade = Upgrade(request.headers, request.cookies, (), reads)
        principal = self._verify(token_of(upgrade, self._origins))
        await self._sessions.require_running(principal)
        call = Call(
            current().correlation_id,
            method=method,
            principal=principal,
            deadline=self._hub.deadline(method),
        )
        with acting(call):
            yield principal
