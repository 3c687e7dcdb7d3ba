"""HTTP as it is read: by httptools, in C, with the bounds that it leaves to others."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 65_536
"""Of a head, of a trailer or of what is between two chunks, until it is complete."""
MOST_WAITING = 16
"""Requests of a connection that wait until the one before them is answered."""


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which else takes heads without end, trailers for headers, requests with
    two hosts, and any number of requests before the first is answered. What breaks the rules is
    answered with 400 and the connection closed."""

    _incomplete = 0
    _in_head = True

    def data_received(self, data: bytes) -> None:
        """Takes in what came over the connection."""
        self._incomplete += len(data)
        super().data_received(data)
        if self._incomplete > MOST_BYTES and not self.transport.is_closing():
            self.send_400_response("A request with too much around its body was received.")

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= MOST_WAITING:
            raise ValueError("too many requests at once")
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is complete. Those behind a body count for nothing: nobody waited for them."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._incomplete, self._in_head = 0, False
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (not hosts and self.parser.get_http_version() != "1.0"):
            raise ValueError("a request has one host")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of the body came. A piece that is alone goes on as it is, without being copied into
        a buffer and out of it."""
        self._incomplete = 0
        held = self.cycle.body
        if not held:
            self.cycle.body = b""  # type: ignore[assignment]
        elif isinstance(held, bytes):
            self.cycle.body = bytearray(held)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._incomplete = 0
        super().on_message_complete()
