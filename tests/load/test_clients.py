"""The provider of the load, and those who ask it; Kari's own reader among them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import websockets
from google.protobuf.json_format import Parse, ParseDict

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.edge.v1.frames_pb2 import ClientFrame, ServerFrame
from servers.model_factory.answer import ProviderEvent, Stopped, Text, Used
from servers.model_factory.configuration import ModelEntry
from servers.model_factory.provider import Prompt
from servers.model_factory.provider_openai import OpenAiProvider
from tests.load.asking import DirectCaller, SocketCaller, check
from tests.load.clients import Load, Plan
from tests.load.websocket import JSON, PROTO
from tests.upstream.fast import MODEL, Wanted, listening


@asynccontextmanager
async def provider() -> AsyncIterator[str]:
    """The URL of a running one."""
    server, url = await listening()
    try:
        yield url
    finally:
        server.close()
        await server.wait_closed()


async def answered(url: str, *said: str) -> list[ProviderEvent]:
    """What the pipeline's reader makes of an answer."""
    messages = [PromptMessage(role=MessageRole.MESSAGE_ROLE_USER, content=text) for text in said]
    reader = OpenAiProvider(url, None)
    try:
        prompt = Prompt(ModelEntry(id=MODEL), messages, 100, 1.0)
        return [event async for event in reader.stream(prompt)]
    finally:
        await reader.close()


@pytest.mark.parametrize("wanted", [Wanted(3, 64), Wanted(4, 20, 500), Wanted(0, 1)])
async def test_the_pipeline_reads_the_streams_of_the_provider(wanted: Wanted) -> None:
    async with provider() as url:
        events = await answered(url, str(Wanted(9, 2)), f"again, as {wanted} says.")
    text = "".join(event.text for event in events if isinstance(event, Text))
    assert text == "".join(wanted.pieces)
    assert sum(isinstance(event, Stopped) for event in events) == 1
    assert [e.completion_tokens for e in events if isinstance(e, Used)] == [wanted.chunks]


async def test_a_kept_alive_connection_gets_one_right_answer_after_the_other() -> None:
    async with provider() as url:
        caller = await DirectCaller.opened(url, "")
        turns = [await caller.ask(Wanted(variant, 5)) for variant in range(20)]
        caller.close()
    assert {turn.error for turn in turns} == {""}
    assert all(turn.began <= turn.texts[0] <= turn.ended for turn in turns)


async def test_a_request_that_comes_in_pieces_is_put_together() -> None:
    body = msgspec.json.encode({"messages": [{"content": "#1:3@0"}], "stream": True})
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with provider() as url:
        host, port = url.split("/")[2].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for byte in request:
            writer.write(bytes([byte]))
            await writer.drain()
        answer = await reader.readuntil(b"0\r\n\r\n")
        writer.close()
    assert b'"content":"v1w2 "' in answer


@pytest.mark.parametrize("how", ["closed", "alone", "arrivals", "once"])
async def test_every_kind_of_load_gives_figures_without_errors(how: str) -> None:
    said: list[str] = []
    async with provider() as url:
        plan = Plan(
            url, [""] * 3, how, True, chunks=4, per_minute=6000, warm_seconds=0.02, seconds=0.1
        )
        load = Load(plan)
        await load.open()
        figures = await load.run(said.append)
        load.close()
    assert said == ["began", "ended"]
    assert figures["turns"]
    assert figures["all_errors"] == 0
    assert json.loads(json.dumps(figures)) == figures


async def test_sockets_that_do_not_open_are_errors() -> None:
    async with provider() as url:
        pass
    load = Load(Plan(url, [""] * 2, direct=True, warm_seconds=0.0, seconds=0.01))
    await load.open()
    figures = await load.run(lambda _: None)
    assert (figures["not_opened"], figures["all_errors"]) == (2, 2)


@pytest.mark.parametrize(
    ("text", "error"),
    [("v1w0 v1w1 ", ""), ("v1w0 ", "text lost"), ("v1w0 v2w1 ", "other text"), ("", "text lost")],
)
def test_text_is_compared_with_what_was_asked_for(text: str, error: str) -> None:
    assert check(text, Wanted(1, 2)) == error


def frames(frame_id: str, pieces: tuple[str, ...], kept: str) -> list[dict[str, Any]]:
    """What the gateway sends for a turn."""
    return [
        {"id": frame_id, "ack": {"conversationId": "conv_1"}},
        {"id": "another", "turnEvent": {"delta": {"text": "not for us"}}},
        *({"id": frame_id, "turnEvent": {"delta": {"text": piece}}} for piece in pieces),
        {"id": frame_id, "turnEvent": {"completed": {"message": {"content": kept}}}},
    ]


def encoded(frame: dict[str, Any], *, proto: bool) -> str | bytes:
    """The frame as it travels."""
    return ParseDict(frame, ServerFrame()).SerializeToString() if proto else json.dumps(frame)


async def served(socket: websockets.ServerConnection) -> None:
    """A gateway that answers as it is told, in frames that are cut up, with pings between."""
    proto = socket.subprotocol == PROTO
    await socket.send(encoded({"welcome": {"userId": "user_1"}}, proto=proto))
    async for message in socket:
        data = message if isinstance(message, bytes) else message.encode()
        asked = ClientFrame.FromString(data) if proto else Parse(data, ClientFrame())
        wanted = Wanted.of(asked.send_message.content.encode())
        pieces = wanted.pieces if wanted.variant != 2 else wanted.pieces[1:]
        kept = "".join(wanted.pieces) if wanted.variant != 3 else "something else"
        for each in frames(asked.id, pieces, kept):
            sent = encoded(each, proto=proto)
            await socket.send([sent[:9], sent[9:]])
        await (await socket.ping())
        if wanted.variant == 4:
            await socket.close(4000)


@pytest.mark.parametrize("subprotocol", [JSON, PROTO])
@pytest.mark.parametrize(("variant", "error"), [(1, ""), (2, "text lost"), (3, "other text kept")])
async def test_a_socket_follows_a_turn_to_its_end(
    variant: int, error: str, subprotocol: str
) -> None:
    async with websockets.serve(served, "127.0.0.1", 0, subprotocols=[JSON, PROTO]) as server:  # type: ignore[list-item]
        port = server.sockets[0].getsockname()[1]
        caller = await SocketCaller.opened(f"http://127.0.0.1:{port}", "token", subprotocol)
        turns = [await caller.ask(Wanted(variant, 70)) for _ in range(2)]
        caller.close()
    assert [turn.error for turn in turns] == [error, error]
    assert len(turns[0].texts) == 70 - (variant == 2)
    assert len(caller.acks) == 2


async def test_a_socket_that_is_closed_says_so_at_every_later_question() -> None:
    async with websockets.serve(served, "127.0.0.1", 0, subprotocols=[JSON, PROTO]) as server:  # type: ignore[list-item]
        port = server.sockets[0].getsockname()[1]
        caller = await SocketCaller.opened(f"http://127.0.0.1:{port}", "token")
        first = await caller.ask(Wanted(4, 2), time.perf_counter())
        later = [await caller.ask(Wanted(1, 2)) for _ in range(2)]
    assert first.error == ""
    assert [turn.error for turn in later] == ["gone: closed 4000"] * 2


async def test_a_socket_that_is_turned_away_is_a_connection_error() -> None:
    async with provider() as url:
        with pytest.raises(ConnectionError):
            await SocketCaller.opened(url, "token")
