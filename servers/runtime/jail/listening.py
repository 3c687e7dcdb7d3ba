"""Hands out a listener on the jail's own loopback, and becomes a program that has it as its proxy.

Run within a jail, with the standard library alone: `python -I -S -c <this> LINE PROGRAM...`. Who
has the other end of LINE accepts the program's connections from outside of the jail: nothing in it
has to pass bytes on.
"""

import os
import socket
import sys

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")

if __name__ == "__main__":
    with (
        socket.socket(fileno=int(sys.argv[1])) as line,
        socket.create_server(("127.0.0.1", 0), backlog=64) as listener,
    ):
        socket.send_fds(line, [b"."], [listener.fileno()])
        for name in VARIABLES:
            os.environ[name] = f"http://127.0.0.1:{listener.getsockname()[1]}"
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
