"""The one way from a jail to the network, as a program in the jail has it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import pytest_asyncio

from servers.runtime.jail import relay as relay_module
from servers.runtime.jail.command import ISOLATED, PYTHON, Bounds, Jail, with_python
from servers.runtime.jail.programs import find_programs
from servers.runtime.jail.proxying import Asked, NotAsked, asked
from servers.runtime.jail.relay import Relay
from servers.runtime.jail.starting import Starter, listening, within
from servers.runtime.jail.syscalls import allow_list
from tests.tool_integration.web import Web, serving_web

SAYS = """
import json, os, socket, sys
port = int(os.environ["HTTPS_PROXY"].rpartition(":")[2])
open_ = []
def said(text):
    peer = socket.create_connection(("127.0.0.1", port), 10)
    open_.append(peer)
    peer.sendall(text.encode("latin-1"))
    return peer
def asks(verb, target, *fields):
    return said("\\r\\n".join([f"{verb} {target} HTTP/1.1", *fields, "", ""]))
def line(peer):
    return peer.makefile("rb").readline().decode().strip()
def status(target):
    try:
        return line(asks("CONNECT", target)).split(" ")[1]
    except OSError as error:
        return type(error).__name__
def all_(peer):
    return peer.makefile("rb").read().decode("latin-1")
GET = b"GET /page HTTP/1.1\\r\\n\\r\\n"
given = json.loads(input())
print(json.dumps({answer}))
"""


@dataclass
class Jailer:
    """Runs programs in a jail with a relay. `denied` is what it was told of."""

    starter: Starter
    jail: Jail
    web: Web
    denied: list[str] = field(default_factory=list)

    async def says(self, answer: str, **given: Any) -> Any:
        """What an expression gives in a jail, from JSON."""
        self.denied.clear()
        relay = Relay(self.denied.append, _lookup, lambda a: "is ours" if a == "::1" else "")
        code = SAYS.replace("{answer}", answer)
        ours, theirs = socket.socketpair()
        with ours:
            line = theirs.fileno()
            program = listening(line, [PYTHON, *ISOLATED, "-c", code])
            jailed = await self.starter.start(self.jail, within(8, program), further=(line,))
            theirs.close()
            try:
                async with relay.serving(ours):
                    jailed.stdin.write(json.dumps(given).encode() + b"\n")
                    printed = await jailed.stdout.read()
                    assert printed, await jailed.stderr.read()
                    return json.loads(printed)
            finally:
                await jailed.close()


async def _lookup(host: str, port: int) -> list[tuple[int, str]]:
    found = {"site.example": ["127.0.0.1"], "both.example": ["127.0.0.1", "::1"]}
    if host not in found:
        raise socket.gaierror("no such host")
    return [(socket.AF_UNSPEC, address) for address in found[host]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def jailer() -> AsyncIterator[Jailer]:
    """One for all."""
    found = find_programs()
    binds, hidden = with_python(found)
    jail = Jail(found, allow_list(network=True), Bounds(), binds, hidden, trusts=True)
    starter = Starter()
    async with serving_web() as web:
        web.give("/page", b"words", "text/plain")
        web.answers["/page?a=b"] = web.answers["/page"]
        web.give("/large", b"x" * 300_000, "text/plain")
        yield Jailer(starter, replace(jail, environment={"LD_LIBRARY_PATH": "/python/lib"}), web)
    await asyncio.to_thread(starter.close)


async def test_a_tunnel_leads_to_a_host(jailer: Jailer) -> None:
    """Bytes go both ways as they are."""
    answer = "[(p := asks('CONNECT', given['host'])).recv(999).decode(), p.sendall(GET), all_(p)]"
    told = await jailer.says(answer, host=f"site.example:{jailer.web.port}")
    assert told[0] == "HTTP/1.1 200 Connection established\r\n\r\n"
    assert told[2].endswith("words")


async def test_a_plain_request_is_passed_on_without_what_is_the_proxys(jailer: Jailer) -> None:
    """One a connection."""
    jailer.web.requests.clear()
    fields = ["X: y", "Proxy-Authorization: secret", "Connection: keep-alive"]
    told = await jailer.says(
        "all_(asks('GET', given['url'], *given['fields']))",
        url=jailer.web.url("/page?a=b"),
        fields=fields,
    )
    assert told.endswith("words")
    (request,) = jailer.web.requests
    assert request == "GET /page?a=b HTTP/1.1\r\nX: y\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("CONNECT both.example:{port} HTTP/1.1\r\n\r\n", "403 Forbidden"),
        ("CONNECT none.example:{port} HTTP/1.1\r\n\r\n", "502 Bad Gateway"),
        ("CONNECT site.example:1 HTTP/1.1\r\n\r\n", "502 Bad Gateway"),
        ("CONNECT site.example HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
    ],
    ids=["refused", "unknown", "closed", "no port", "no proxy"],
)
async def test_what_leads_nowhere_is_told(jailer: Jailer, text: str, status: str) -> None:
    """A name is refused if any of its addresses is; no connection came."""
    before = jailer.web.connections
    asking = text.replace("{port}", str(jailer.web.port))
    assert await jailer.says("line(said(given['text']))", text=asking) == f"HTTP/1.1 {status}"
    assert jailer.web.connections == before
    both = "both.example" in text
    assert jailer.denied == ([f"both.example:{jailer.web.port}"] if both else [])


async def test_connections_and_bytes_have_their_bounds(
    jailer: Jailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is beyond them is refused, or cut off."""
    monkeypatch.setattr(relay_module, "AT_ONCE", 2)
    monkeypatch.setattr(relay_module, "IN_ALL", 3)
    monkeypatch.setattr(relay_module, "MOST_BYTES", 200_000)
    host = f"site.example:{jailer.web.port}"
    told = await jailer.says("[status(given['host']) for _ in range(4)]", host=host)
    assert told == ["200", "200", "429", "ConnectionRefusedError"]
    answer = "len(all_(asks('GET', given['url'])))"
    told = await jailer.says(answer, url=jailer.web.url("/large"))
    assert told < 200_000


async def test_a_head_without_an_end_is_cut_off(jailer: Jailer) -> None:
    """Nothing is kept for it."""
    assert await jailer.says("all_(said('GET http://' + 'x' * 100_000))") == ""


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"CONNECT [2001:db8::1]:443 HTTP/1.1", Asked("2001:db8::1", 443, tunnel=True)),
        (b"CONNECT a.example:22 HTTP/1.0\r\nHost: b", Asked("a.example", 22, tunnel=True)),
        (
            b"HEAD http://a.example HTTP/1.1",
            Asked("a.example", 80, b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n"),
        ),
    ],
)
def test_requests_are_read(head: bytes, found: Asked) -> None:
    """As RFC 9110 has them."""
    assert asked(head + b"\r\n\r\n") == found


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"CONNECT a.example:443",
        b"CONNECT a.example:443 HTTP/2",
        b"CONNECT a.example:99999 HTTP/1.1",
        b"CONNECT a.example:443/x HTTP/1.1",
        b"CONNECT user@a.example:443 HTTP/1.1",
        b"CONNECT [::1:443 HTTP/1.1",
        b"GET https://a.example/ HTTP/1.1",
        b"GET file:///etc/passwd HTTP/1.1",
        b"GET http:///x HTTP/1.1",
        b"get http://a.example/ HTTP/1.1",
        b"GET http://" + b"a" * 300 + b"/ HTTP/1.1",
    ],
)
def test_what_is_no_request_to_a_proxy_is_refused(head: bytes) -> None:
    """Before anything is looked up."""
    with pytest.raises(NotAsked):
        asked(head + b"\r\n\r\n")
