"""The process of a file's client: reads a Job (JSON) from its standard input, carries it out,
prints what was Done as JSON. It makes its bytes once and looks at none that come, so that it takes
little of the machine."""

import json
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import grpc
import msgspec

from kari.chat_hub.v1.chat_hub_pb2 import (
    UploadFileEnd,
    UploadFileRequest,
    UploadFileResponse,
    UploadFileStart,
)

PIECE = 1024 * 1024
UPLOAD = "/kari.chat_hub.v1.ChatHubService/UploadFile"
BEGINNING = (
    b'--b\r\ncontent-disposition: form-data; name="file"; filename="large.bin"\r\n'
    b"content-type: application/octet-stream\r\n\r\n"
)
END = b"\r\n--b--\r\n"


class Job(msgspec.Struct, frozen=True):
    """What is done: `form` or `grpc` for an upload of so many pieces of a mebibyte, `read` for a
    download of `file`, with a `range` of it if there is one."""

    how: str
    address: str
    token: str
    pieces: int = 0
    file: str = ""
    range: str = ""


class Done(msgspec.Struct, frozen=True):
    """How long it took, how many bytes went, and which file that was."""

    seconds: float
    size: int
    file: str = ""


def form(job: Job) -> Done:
    """A form with one file."""
    piece, own = secrets.token_bytes(PIECE), secrets.token_bytes(PIECE)
    size = job.pieces * PIECE
    length = len(BEGINNING) + size + len(END)
    head = _head("POST", "/v1/files", job) + (
        f"content-type: multipart/form-data; boundary=b\r\ncontent-length: {length}\r\n\r\n"
    )
    with _connected(job) as connection:
        began = time.perf_counter()
        connection.sendall(head.encode() + BEGINNING + own)
        for _ in range(job.pieces - 1):
            connection.sendall(piece)
        connection.sendall(END)
        status, length, body = _answer(connection)
        seconds = time.perf_counter() - began
        while len(body) < length and (more := connection.recv(PIECE)):
            body += more
    _require(status == 201, body)
    return Done(seconds, size, json.loads(body)["file"]["id"])


def over_grpc(job: Job) -> Done:
    """A stream of messages of a mebibyte."""
    piece = UploadFileRequest(data=secrets.token_bytes(PIECE)).SerializeToString()
    own = UploadFileRequest(data=secrets.token_bytes(PIECE)).SerializeToString()
    size = job.pieces * PIECE
    start = UploadFileStart(request_id=secrets.token_hex(8), name="large.bin", size_bytes=size)

    def steps() -> Iterator[bytes]:
        yield UploadFileRequest(start=start).SerializeToString()
        yield own
        for _ in range(job.pieces - 1):
            yield piece
        yield UploadFileRequest(end=UploadFileEnd()).SerializeToString()

    with grpc.insecure_channel(job.address) as channel:
        call = channel.stream_unary(UPLOAD, None, UploadFileResponse.FromString)
        began = time.perf_counter()
        response = call(steps(), metadata=(("authorization", f"Bearer {job.token}"),))
        seconds = time.perf_counter() - began
    return Done(seconds, size, response.file.id)


def read(job: Job) -> Done:
    """A download that is thrown away."""
    head = _head("GET", f"/v1/files/{job.file}/content", job)
    if job.range:
        head += f"range: bytes={job.range}\r\n"
    buffer = bytearray(PIECE)
    with _connected(job) as connection:
        began = time.perf_counter()
        connection.sendall(f"{head}\r\n".encode())
        status, length, body = _answer(connection)
        _require(status in (200, 206), body)
        left = length - len(body)
        while left > 0 and (count := connection.recv_into(buffer)):
            left -= count
        seconds = time.perf_counter() - began
    _require(left == 0, b"it was cut")
    return Done(seconds, length, job.file)


def _head(method: str, path: str, job: Job) -> str:
    return f"{method} {path} HTTP/1.1\r\nhost: kari\r\nauthorization: Bearer {job.token}\r\n"


def _connected(job: Job) -> socket.socket:
    place = urlsplit(job.address)
    return socket.create_connection((place.hostname, place.port))


def _answer(connection: socket.socket) -> tuple[int, int, bytes]:
    """Status and length of an answer, and what has come of its body."""
    found = b""
    while b"\r\n\r\n" not in found:
        some = connection.recv(PIECE)
        _require(bool(some), found or b"there was no answer")
        found += some
    head, _, body = found.partition(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.lower().split(b"\r\n")]
    length = next((int(value) for name, _, value in lines if name == b"content-length"), 0)
    return int(head.split()[1]), length, body


def _require(well: bool, told: bytes) -> None:
    if not well:
        raise RuntimeError(told.decode(errors="replace"))


WAYS = {"form": form, "grpc": over_grpc, "read": read}

if __name__ == "__main__":
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    print(msgspec.json.encode(WAYS[job.how](job)).decode())
