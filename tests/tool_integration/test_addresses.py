"""Addresses and URLs that are fetched, and those that are not: before anything is connected to."""

import pytest

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Forbidden
from servers.runtime.public_addresses import refusal
from servers.tool_integration.built_in.fetch_rules import FetchRules

ANYWHERE = FetchRules(("*",))


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101"]
)
def test_public_addresses_are_fetched(address: str) -> None:
    assert refusal(address) == ""


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "198.18.0.1",
        "192.0.2.1",
        "203.0.113.7",
        "168.63.129.16",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1::",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "100::1",
        "not an address",
        "",
    ],
)
def test_addresses_that_are_not_public_are_not(address: str) -> None:
    """Private, loopback, link-local, carriers', metadata, multicast, reserved; also within IPv6."""
    assert refusal(address)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/",
        "gopher://example.org/",
        "data:text/html,x",
        "javascript:alert(1)",
        "//example.org/",
        "example.org",
        "http:example.org",
        "http://",
        "http:///path",
        "http://user@example.org/",
        "http://user:password@example.org/",
        "http://:password@example.org/",
        "http://example.org:22/",
        "http://example.org:6379/",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://example.org:http/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://0/",
        "http://017700000001/",
        "http://127.0.0.01/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://[::1",
        "http://exa mple.org/",
        "http://example.org/\r\nHost: x",
        "http://example.org\\@127.0.0.1/",
        "http://exam\tple.org/",
        "http://example.org/" + "a" * 2000,
    ],
)
def test_what_is_no_url_for_fetching_is_refused(url: str) -> None:
    """With the reason; the shorthands for addresses among them."""
    with pytest.raises(Forbidden) as caught:
        ANYWHERE.checked(url)
    assert caught.value.reason == Reason.REASON_ADDRESS_NOT_ALLOWED


@pytest.mark.parametrize(
    ("url", "fetched"),
    [
        ("https://docs.example.org/a?b=c#d", True),
        ("https://DOCS.example.org./a", True),
        ("http://one.example.net", True),
        ("https://sub.one.example.net", False),
        ("https://example.org", True),
        ("https://notexample.org", False),
        ("https://example.org.evil.example", False),
        ("https://bücher.example", True),
        ("https://93.184.216.34/", False),
    ],
)
def test_only_hosts_on_the_list_are_fetched(url: str, fetched: bool) -> None:
    """By name, whatever its case; a dot in front is all that is under it."""
    rules = FetchRules((".example.org", "one.example.net", "xn--bcher-kva.example"))
    if fetched:
        assert rules.checked(url).fragment == ""
        return
    with pytest.raises(Forbidden, match=r"under \[fetch\] in the tools file"):
        rules.checked(url)
