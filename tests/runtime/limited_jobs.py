"""What jobs of tests do: some of it is hostile."""

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from servers.runtime.limited import frames
from servers.runtime.limited.failures import Unreadable
from servers.runtime.limited.job import JobFile


def copy(file: JobFile, request: bytes) -> Iterator[bytes]:
    """All that the file holds."""
    while data := file.read(300_000):
        yield data


def length(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Its size, found by going to its end, and the request."""
    file.seek(0, os.SEEK_END)
    yield f"{file.tell()} {request.decode()}".encode()


def memory(file: JobFile, request: bytes) -> Iterator[bytes]:
    """More memory than there is."""
    yield b"before"
    yield str(len(bytearray(10**9))).encode()


def loop(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Never ends, and does nothing."""
    yield b"before"
    time.sleep(1000)


def slowly(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Takes its time."""
    yield b"before"
    time.sleep(2)
    yield b"behind"


def cpu(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Never ends, and is busy."""
    yield b"before"
    while True:
        pass


def crash(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Reads where nothing is."""
    yield b"before"
    ctypes.string_at(1)


def leave(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Goes without a word."""
    yield b"before"
    os._exit(3)


def broken(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Stumbles."""
    yield b"before"
    raise KeyError("secret")


def unreadable(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Says what is wrong."""
    yield b"before"
    raise Unreadable("the file asks for a password")


def endless(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Gives more than anybody takes."""
    while True:
        yield bytes(100_000)


def secrets(file: JobFile, request: bytes) -> Iterator[bytes]:
    """What the environment tells, and a file of the server's."""
    yield " ".join(sorted(os.environ)).encode()
    if request:
        yield Path(request.decode()).read_bytes()


def network(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Looks for somebody to talk to."""
    with socket.create_connection(("127.0.0.1", int(request or 1)), timeout=1):
        yield b"connected"


def program(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Starts another program."""
    yield subprocess.run(["/bin/echo", "started"], capture_output=True, check=True).stdout


def write(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Writes a file."""
    Path(request.decode() or "/tmp/written").write_bytes(b"written")
    yield b"written"


def kill_parent(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Ends the one who made it."""
    os.kill(os.getppid(), signal.SIGKILL)
    yield b"killed"


def kill_sibling(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Looks whether it could end a process."""
    os.kill(int(request), 0)
    yield b"could"


def fork(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Makes a process that would outlive everybody."""
    if not os.fork():
        os.setsid()
        time.sleep(1000)
    yield b"forked"


def threads(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Has threads do its work, as libraries do."""
    found: list[int] = []
    working = [threading.Thread(target=found.append, args=(n,)) for n in range(3)]
    for each in working:
        each.start()
    for each in working:
        each.join()
    yield str(sorted(found)).encode()


def ask(file: JobFile, request: bytes) -> Iterator[bytes]:
    """Asks for more of the file than there is room for, past its reader."""
    wire: socket.socket = vars(file)["_wire"]
    wire.sendall(frames.frame(frames.READ, request))
    yield wire.recv(9)
