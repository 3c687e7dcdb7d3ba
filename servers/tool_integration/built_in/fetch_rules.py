"""Which URLs may be fetched, before any name is resolved. Pure."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NoReturn

from yarl import URL

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Forbidden

MOST_CHARACTERS = 2000
WAY_OUT = "`hosts` under [fetch] in the tools file lists the hosts that may be fetched"


@dataclass(frozen=True)
class FetchRules:
    """What may be fetched. `hosts`: names, `.example.org` for all under it, `*` for any public
    host."""

    hosts: tuple[str, ...]
    ports: tuple[int, ...] = (80, 443)

    def checked(self, text: str) -> URL:
        """The URL that a text is, without its fragment. Forbidden, saying why, if it may not be
        fetched."""
        if len(text) > MOST_CHARACTERS or re.search(r"[\x00-\x20\x7f\\]", text):
            _refuse("it is too long, or has characters that no URL has")
        try:
            url = URL(text).with_fragment(None)
            host, port = (url.raw_host or "").rstrip("."), url.port
        except ValueError:
            _refuse("it is no URL")
        if url.scheme not in ("http", "https") or not host:
            _refuse("only http:// and https:// addresses are fetched")
        if url.raw_user is not None or url.raw_password is not None:
            _refuse("it carries a user name or a password")
        if port not in self.ports:
            _refuse(f"port {port} is not among {', '.join(map(str, self.ports))}")
        self._check_host(host)
        return url

    def _check_host(self, host: str) -> None:
        if not any(_matches(host, pattern) for pattern in self.hosts):
            _refuse(f"`{host}` may not be fetched here; {WAY_OUT}")
        # Whether addresses are public is looked at before each connection; readers of URLs differ
        # in what they make of other forms.
        if _looks_numeric(host) and not _is_usual(host):
            _refuse(f"`{host}` is not the usual form of an address")


def _matches(host: str, pattern: str) -> bool:
    host, pattern = host.lower(), pattern.lower()
    if pattern.startswith("."):
        return host.endswith(pattern) or host == pattern[1:]
    return pattern in ("*", host)


def _looks_numeric(host: str) -> bool:
    """Whether readers of URLs take a host for an IPv4 address: its last part is a number."""
    return re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", host.rpartition(".")[2]) is not None


def _is_usual(host: str) -> bool:
    try:
        return str(IPv4Address(host)) == host
    except ValueError:
        return False


def _refuse(why: str) -> NoReturn:
    raise Forbidden(Reason.REASON_ADDRESS_NOT_ALLOWED, f"the address may not be fetched: {why}")
