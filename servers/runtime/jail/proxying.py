"""What a program asks of its proxy (RFC 9110, 9.3.6, and RFC 9112, 3.2.2 and 3.2.3). Pure."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

END = b"\r\n\r\n"
LONGEST_HEAD = 16_384
LONGEST_HOST = 253
METHOD = re.compile(r"[A-Z]{1,20}")
OURS = ("connection", "proxy-connection", "proxy-authorization", "keep-alive")


class NotAsked(ValueError):
    """What came is no request to a proxy."""


@dataclass(frozen=True)
class Asked:
    """Where a connection is to lead. `first` is what is sent there before all else; `tunnel` says
    that the program is told when it leads there, and speaks then."""

    host: str
    port: int
    first: bytes = b""
    tunnel: bool = False


def asked(head: bytes) -> Asked:
    """What the head of a request asks for, its last empty line included. NotAsked says what is
    wrong with it."""
    try:
        line, *fields = head.removesuffix(END).decode("latin-1").split("\r\n")
        method, target, version = line.split(" ")
    except ValueError:
        raise NotAsked("it is no request") from None
    if not METHOD.fullmatch(method) or version not in ("HTTP/1.1", "HTTP/1.0"):
        raise NotAsked("it is no request of HTTP/1.1")
    if method == "CONNECT":
        host, port, rest = _place(f"//{target}", 0)
        if rest or not port:
            raise NotAsked("a tunnel leads to a host and a port")
        return Asked(host, port, tunnel=True)
    if not target.startswith("http://"):
        raise NotAsked("what is no tunnel asks for http://")
    host, port, path = _place(target, 80)
    # One request a connection: what is sent after it goes to the same place.
    kept = [field for field in fields if field.partition(":")[0].strip().lower() not in OURS]
    told = "\r\n".join([f"{method} {path or '/'} {version}", *kept, "Connection: close"])
    return Asked(host, port, told.encode("latin-1") + END)


def _place(target: str, default: int) -> tuple[str, int, str]:
    """Host, port and the rest of an address."""
    try:
        found = urlsplit(target)
        host, port = found.hostname or "", found.port
    except ValueError:
        raise NotAsked("it leads to no host") from None
    if not 0 < len(host) <= LONGEST_HOST or found.username is not None:
        raise NotAsked("it leads to no host, or carries a user name")
    path = found.path + (f"?{found.query}" if found.query else "")
    return host, default if port is None else port, path
