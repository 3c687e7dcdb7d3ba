"""Connections to public addresses only: names are resolved here, what they resolve to is looked at,
and what was looked at is what is connected to."""

import socket
from collections.abc import Callable
from typing import Any

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Forbidden, Unavailable
from servers.runtime.lookup import Lookup, Refusal, looked_up
from servers.runtime.public_addresses import refusal

MOST_CONNECTIONS = 32


def guarded_session(lookup: Lookup = looked_up, refuses: Refusal = refusal) -> ClientSession:
    """A client that connects to no address that `refuses` refuses; without cookies, proxies, or
    decoding of what it reads. Tests alone give it other arguments."""
    connector = TCPConnector(
        resolver=_Resolver(lookup, refuses),
        # A name is resolved again for each connection, so that what was checked is what is used.
        use_dns_cache=False,
        socket_factory=_gate(refuses),
        limit=MOST_CONNECTIONS,
        keepalive_timeout=5,
    )
    return ClientSession(
        connector=connector, cookie_jar=DummyCookieJar(), auto_decompress=False, trust_env=False
    )


class _Resolver(AbstractResolver):
    """Refuses a name if any of its addresses is refused: which one is used is left to chance."""

    def __init__(self, lookup: Lookup, refuses: Refusal) -> None:
        self._lookup = lookup
        self._refuses = refuses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host."""
        try:
            found = await self._lookup(host, port)
        except OSError as error:
            raise Unavailable(
                Reason.REASON_TOOL_FAILED, f"there is no host `{host}`", retryable=False
            ) from error
        for _, address in found:
            _check(address, self._refuses, f"`{host}`")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=family_,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for family_, address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _gate(refuses: Refusal) -> Callable[[Any], socket.socket]:
    """Makes the socket of each connection: the last look, which addresses in URLs pass as well."""

    def opened(info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        _check(str(address[0]), refuses, "it")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    return opened


def _check(address: str, refuses: Refusal, name: str) -> None:
    why = refuses(address)
    if why:
        raise Forbidden(
            Reason.REASON_ADDRESS_NOT_ALLOWED, f"the address may not be fetched: {name} {why}"
        )
