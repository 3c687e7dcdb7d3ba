"""Which addresses of the internet are public: no others are connected to for anybody. Pure."""

from ipaddress import (
    IPv4Address,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

NOT_PUBLIC = tuple(
    ip_network(network)
    for network in (
        # Carriers' own networks, benchmarks, protocol assignments: Python's lists have changed.
        "100.64.0.0/10",
        "192.0.0.0/24",
        "198.18.0.0/15",
        "192.88.99.0/24",
        # Public to look at, but of the platform that a machine runs on.
        "168.63.129.16/32",
        # Networks of a site, as they were called once; what leads to one host's own networks.
        "fec0::/10",
        "fc00::/7",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "100::/64",
        "64:ff9b:1::/48",
    )
)
NAT64 = IPv6Network("64:ff9b::/96")


def refusal(address: str) -> str:
    """Why an address may not be fetched; empty if it may. IPv4 addresses within IPv6 ones count
    as what they are."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "is no address"
    for each in (found, *_within(found)):
        if not _public(each):
            return f"leads to {found}, which is not a public address"
    return ""


def _public(address: IPv4Address | IPv6Address) -> bool:
    if address in NAT64:
        # It is what is within it.
        return True
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in NOT_PUBLIC)


def _within(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that packets for an IPv6 one end up at."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]
