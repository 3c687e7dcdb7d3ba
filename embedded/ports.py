"""Ports: those a person chose, and free ones for the stores."""

import errno
import socket

from embedded.errors import StartError

LOOPBACK = "127.0.0.1"


def require_free_port(host: str, port: int, setting: str) -> None:
    """Raises `StartError` naming `setting` (such as `KARI_HTTP_PORT`) if nothing can listen there.

    Port 0 is always free. The answer is about now: another program may still take the port later.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As the servers themselves do: a connection in TIME_WAIT does not make a port busy.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise _unusable(host, port, setting, error) from error


def _unusable(host: str, port: int, setting: str, error: OSError) -> StartError:
    if error.errno == errno.EADDRINUSE:
        return StartError(
            f"Port {port} on {host} is in use by another program ({setting}={port}).",
            f"Stop that program, or choose another port: {setting}={_another(port)}",
        )
    return StartError(
        f"Cannot listen on {host} port {port} ({setting}={port}): {error.strerror}.",
        f"Set {setting} to a port above 1023, and its host to an address of this machine.",
    )


def _another(port: int) -> int:
    return port + 10 if port < 65_000 else port - 1000


class ReservedPort:
    """A free port on loopback that stays ours until closed, also while its server is down.

    The socket is bound and never listens. Linux lets a server bind the same port beside it when
    both set SO_REUSEADDR (PostgreSQL, Valkey and gRPC do), and gives the port to nobody who asks
    for any free one. So a store that died finds its port free when it is started again.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((LOOPBACK, 0))
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Gives the port back."""
        self._socket.close()
