"""Ids of the tools of MCP servers: `SERVER.tool`. Pure.

MCP recommends names that are ids already. Others are made ids: what no id may hold becomes `_`, and
the end is a part of the hash of the name, so that the same name gives the same id for ever and two
names give two.
"""

import hashlib
import re

LONGEST = 120
FORBIDDEN = re.compile(r"[^A-Za-z0-9_.-]")
WHOLE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
HASH = 8


def tool_id(server: str, name: str) -> str:
    """The id of a tool; empty if its name is empty."""
    if not name:
        return ""
    plain = f"{server}.{name}"
    if WHOLE.fullmatch(name) and len(plain) <= LONGEST:
        return plain
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:HASH]
    readable = re.sub(r"\.+", ".", FORBIDDEN.sub("_", name)).strip(".")
    room = LONGEST - len(server) - HASH - 2
    return f"{server}.{readable[:room].rstrip('.')}_{digest}"
