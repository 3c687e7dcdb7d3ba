"""How often one address may try to sign in. Pure.

The gateway limits people by their own addresses; here are those who call past it.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import unquote

ATTEMPTS = 60
WINDOW_SECONDS = 60.0
"""As many as the gateway allows an address."""

_KEPT_ADDRESSES = 10_000
_IPV6_NETWORK = 64
"""Bits that tell networks apart; below them whoever has one address has them all."""


class AddressCounts:
    """The attempts of each address. Its window begins with its first attempt."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that only grow."""
        self._clock = clock
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def begin(self, address: str) -> float:
        """Counts an attempt; gives the seconds to wait if there were too many, else 0."""
        now = self._clock()
        end, count = self._windows.get(address, (now, 0))
        if end <= now:
            end, count = now + WINDOW_SECONDS, 0
        if count >= ATTEMPTS:
            return end - now
        self._windows[address] = end, count + 1
        self._windows.move_to_end(address)
        if len(self._windows) > _KEPT_ADDRESSES:
            self._windows.popitem(last=False)
        return 0.0


def address_of(peer: str) -> str:
    """The address, or network, in what gRPC calls a peer: `ipv4:192.0.2.1:5000`,
    `ipv6:%5B2001:db8::1%5D:5000`, `unix:...`."""
    kind, _, rest = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return kind
    host = rest.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv4Address):
        return host
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False))
