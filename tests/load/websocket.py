"""A WebSocket client of the gateway that costs little: the load generator shares the cores with
what it measures."""

import asyncio
import base64
import os
import struct
from typing import cast

HEAD = (
    "GET /v1/chat HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    "Sec-WebSocket-Protocol: {subprotocol}\r\nAuthorization: Bearer {token}\r\n\r\n"
)
CONTINUED, TEXT, BINARY, CLOSE, PING = 0, 1, 2, 8, 9
JSON, PROTO = "kari.v1.json", "kari.v1.proto"


class WebSocket(asyncio.Protocol):
    """Calls `received` with each message, and `lost` with the reason when it is over (RFC 6455).
    Frames are masked with zeros, which is a mask like any other."""

    def __init__(self, host: str, port: int, token: str, subprotocol: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        head = HEAD.format(host=host, port=port, key=key, token=token, subprotocol=subprotocol)
        self._head = head
        self._kind = TEXT if subprotocol == JSON else BINARY
        self._buffer = b""
        self._parts = b""
        self._open = False
        self._transport: asyncio.Transport

    def received(self, message: bytes) -> None:
        """One whole message."""

    def lost(self, reason: str) -> None:
        """Nothing comes any more."""

    def send(self, message: bytes) -> None:
        """Sends a message, as text or binary as the subprotocol wants it."""
        self._send(self._kind, message)

    def close(self) -> None:
        """Says goodbye and goes."""
        if self._transport.is_closing():
            return
        self._send(CLOSE, struct.pack("!H", 1000))
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._head.encode())

    def connection_lost(self, error: Exception | None) -> None:
        self.lost(f"connection lost {error or ''}".strip())

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._open and not self._upgraded():
            return
        at = 0
        while (frame := _frame(self._buffer, at)) is not None:
            opcode, final, begin, at = frame
            self._take(opcode, final, self._buffer[begin:at])
        self._buffer = self._buffer[at:]

    def _upgraded(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        if b" 101 " not in self._buffer[:20]:
            self.lost(f"upgrade refused: {self._buffer[9:12].decode()}")
            self._transport.close()
            return False
        self._buffer, self._open = self._buffer[end + 4 :], True
        return True

    def _take(self, opcode: int, final: bool, payload: bytes) -> None:
        if opcode in (TEXT, BINARY, CONTINUED):
            self._parts += payload
            if final:
                message, self._parts = self._parts, b""
                self.received(message)
        elif opcode == PING:
            self._send(PING + 1, payload)
        elif opcode == CLOSE:
            self.lost(f"closed {int.from_bytes(payload[:2], 'big')}")
            self._transport.close()

    def _send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 65_536:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
        self._transport.write(head + b"\0\0\0\0" + payload)


def _frame(data: bytes, at: int) -> tuple[int, bool, int, int] | None:
    """Opcode, whether it is final, begin and end of the payload of the frame that starts at `at`;
    None while it is not all here."""
    if len(data) < at + 2:
        return None
    size, begin = data[at + 1] & 0x7F, at + 2
    if size > 125:
        wide = 2 if size == 126 else 8
        size = int.from_bytes(data[begin : begin + wide], "big")
        begin += wide
    if len(data) < begin or len(data) < begin + size:
        return None
    return data[at] & 0x0F, bool(data[at] & 0x80), begin, begin + size
