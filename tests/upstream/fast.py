"""The provider of the load harness: OpenAI's chat completions, streamed from bytes made before.

The last request written as `#3:64@0` in a prompt (see Wanted) says what is answered, with `!1` at
its end that a tool is called first; so one model does for every load, and an answer that reaches
the wrong reader shows. Every chunk of an answer is a write of its own, as providers that have them
one by one send them. By itself:
`python -m tests.upstream.fast --port N` (0 takes a free one) prints `ready URL`.
"""

import argparse
import asyncio
import re
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import Self, cast

import msgspec

from tests.upstream import openai_format
from tests.upstream.script import Call, Script

MODEL = "load"
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_WANTED = re.compile(rb"(\d+):(\d+)@(\d+)(?:!(\d+))?")
_RESULT = b'"role":"tool"'


@dataclass(frozen=True)
class Wanted:
    """An answer: which text, of how many chunks, how many a second; 0 is all at once. `calls` tools
    are called at once before it."""

    variant: int
    chunks: int
    rate: int = 0
    calls: int = 0

    def __str__(self) -> str:
        calls = f"!{self.calls}" if self.calls else ""
        return f"#{self.variant}:{self.chunks}@{self.rate}{calls}"

    @property
    def pieces(self) -> tuple[str, ...]:
        """The texts of its chunks; each ends with the only space in it."""
        return tuple(f"v{self.variant}w{number} " for number in range(self.chunks))

    @classmethod
    def of(cls, body: bytes) -> Self:
        """What a request asks for last; a short answer if it is written nowhere."""
        at = len(body)
        while (at := body.rfind(b"#", 0, at)) >= 0:
            if found := _WANTED.match(body, at + 1):
                return cls(*(int(number or 0) for number in found.groups()))
        return cls(0, 8)


@lru_cache
def asking(calls: int) -> tuple[bytes, ...]:
    """The writes of an answer that has tools called, each for something else."""
    wanted = [Call("calculator", f'{{"expression": "6*{number}"}}') for number in range(calls)]
    script = Script(chunks=(), calls=tuple(wanted))
    events = openai_format.events(MODEL, script, usage=True)
    end = openai_format.completion(MODEL, script, usage=True)
    return (_HEAD, *map(_chunked, (*events, *end)), b"0\r\n\r\n")


@lru_cache(maxsize=256)
def stream(wanted: Wanted) -> tuple[bytes, ...]:
    """The writes of an answer: the head, each chunk of text, the end."""
    pieces = wanted.pieces
    script = Script(chunks=pieces, completion_tokens=len(pieces))
    first, *texts = openai_format.events(MODEL, script, usage=True)
    end = openai_format.completion(MODEL, script, usage=True)
    return (
        _HEAD + _chunked(first),
        *map(_chunked, texts),
        b"".join(map(_chunked, end)) + b"0\r\n\r\n",
    )


def whole(wanted: Wanted) -> bytes:
    """The answer to a request that does not stream."""
    script = Script(chunks=wanted.pieces, completion_tokens=wanted.chunks)
    body = msgspec.json.encode(openai_format.whole(MODEL, script))
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def _chunked(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


class Ticks:
    """Writes one chunk to each paced answer in its turn: a clock of 1 ms for all of them, for a
    timer each would cost more than the writing."""

    def __init__(self) -> None:
        self._due: deque[list[Answer]] = deque()
        self._at = 0.0
        self._running = False

    def after(self, milliseconds: int, answer: "Answer") -> None:
        """Calls `answer.go_on` in so many milliseconds."""
        while len(self._due) < milliseconds:
            self._due.append([])
        self._due[milliseconds - 1].append(answer)
        if not self._running:
            self._running = True
            self._at = asyncio.get_running_loop().time()
            self._wait()

    def _wait(self) -> None:
        self._at += 0.001
        asyncio.get_running_loop().call_at(self._at, self._tick)

    def _tick(self) -> None:
        for answer in self._due.popleft():
            answer.go_on()
        if self._due:
            self._wait()
        else:
            self._running = False


@dataclass
class Answer:
    """A paced answer under way."""

    transport: asyncio.Transport
    writes: tuple[bytes, ...]
    every: int
    ticks: Ticks
    at: int = 0

    def go_on(self) -> None:
        """Writes the next chunk, with the last one the end."""
        if self.transport.is_closing():
            return
        self.transport.write(self.writes[self.at])
        self.at += 1
        if self.at < len(self.writes) - 1:
            self.ticks.after(self.every, self)
        else:
            self.transport.write(self.writes[-1])


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (body := self._next()) is not None:
            self._answer(body)

    def _next(self) -> bytes | None:
        """The body of the next request that is here as a whole."""
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return None
        length = _LENGTH.search(self._received, 0, head)
        end = head + 4 + (int(length[1]) if length else 0)
        if len(self._received) < end:
            return None
        body, self._received = self._received[head + 4 : end], self._received[end:]
        return body

    def _answer(self, body: bytes) -> None:
        wanted = Wanted.of(body)
        if b'"stream":true' not in body:
            self._transport.write(whole(wanted))
            return
        calls = bool(wanted.calls) and _RESULT not in body
        writes = asking(wanted.calls) if calls else stream(wanted)
        if not wanted.rate or calls:
            for chunk in writes:
                self._transport.write(chunk)
            return
        self._transport.write(writes[0])
        Answer(self._transport, writes, 1000 // wanted.rate, self._ticks, at=1).go_on()


async def listening(port: int = 0) -> tuple[asyncio.Server, str]:
    """A server on loopback and its base URL."""
    ticks = Ticks()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(ticks), "127.0.0.1", port, backlog=1024)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def serve(port: int) -> None:
    """Serves until it is ended."""
    server, url = await listening(port)
    print(f"ready {url}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A fast model provider on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one, and prints it")
    asyncio.run(serve(parser.parse_args().port))
