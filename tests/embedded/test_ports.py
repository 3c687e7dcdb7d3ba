"""A port that is taken is said; a port that is reserved stays free for its store."""

import socket

import pytest

from embedded.errors import StartError
from embedded.ports import LOOPBACK, ReservedPort, require_free_port


def server_on(port: int) -> socket.socket:
    """A listening socket as servers make it."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((LOOPBACK, port))
    server.listen()
    return server


def test_a_port_in_use_names_the_setting_and_the_way_out() -> None:
    """The message holds what a person has to type."""
    with server_on(0) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=f"KARI_HTTP_PORT={port}") as caught:
            require_free_port(LOOPBACK, port, "KARI_HTTP_PORT")
    assert "in use" in caught.value.message
    assert "KARI_HTTP_PORT=" in caught.value.way_out
    require_free_port(LOOPBACK, port, "KARI_HTTP_PORT")


def test_an_address_of_another_machine_is_refused() -> None:
    """192.0.2.0/24 belongs to nobody."""
    with pytest.raises(StartError, match=r"Cannot listen on 192\.0\.2\.1"):
        require_free_port("192.0.2.1", 8080, "KARI_HTTP_PORT")


def test_a_reserved_port_can_be_used_again_and_again() -> None:
    """A store that was started again listens where it did before."""
    reserved = ReservedPort()
    for _ in range(2):
        with (
            server_on(reserved.number) as server,
            socket.create_connection((LOOPBACK, reserved.number)),
        ):
            server.accept()[0].close()
    reserved.close()


def test_a_reserved_port_is_given_to_nobody_else() -> None:
    """Neither to a server that asks for any port nor to an outgoing connection."""
    reserved = ReservedPort()
    others = [server_on(0) for _ in range(500)]
    assert reserved.number not in {other.getsockname()[1] for other in others}
    for other in others:
        other.close()
    reserved.close()
