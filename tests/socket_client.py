"""A WebSocket client of the gateway that speaks `kari.v1.json`."""

import asyncio
import itertools
import json
import secrets
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import websockets
from google.protobuf import json_format

from kari.chat_hub.v1.chat_hub_pb2 import SendMessageRequest
from kari.conversation_models.v1.turn_pb2 import TurnEvent
from kari.edge.v1.frames_pb2 import Ack, ClientFrame, Command, ServerFrame
from tests.running import Kari

LAST = ("completed", "failed", "cancelled")
WAIT_SECONDS = 60


async def login(kari: Kari, name: str = "demo", password: str | None = None) -> str:
    """An access token, by password."""
    body = {"name": name, "password": password or kari.passwords[name]}
    request = urllib.request.Request(  # our own server on loopback
        f"{kari.http}/v1/auth/login",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    answer = await asyncio.to_thread(lambda: urllib.request.urlopen(request).read())
    token: str = json.loads(answer)["tokens"]["accessToken"]
    return token


@asynccontextmanager
async def opened(kari: Kari, token: str) -> AsyncIterator["SocketClient"]:
    """An open, welcomed socket."""
    async with websockets.connect(
        f"ws://127.0.0.1:{kari.http_port}/v1/chat",
        subprotocols=[websockets.Subprotocol("kari.v1.json")],
        additional_headers={"authorization": f"Bearer {token}"},
        max_size=None,
        close_timeout=2,
    ) as socket:
        client = SocketClient(socket)
        client.welcome = await client.next()
        yield client


class SocketClient:
    """Sends frames and reads what comes."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.welcome = ServerFrame()
        self._ids = itertools.count(1)
        self._passed_over: list[ServerFrame] = []

    async def next(self) -> ServerFrame:
        """The next frame that nobody has had."""
        if self._passed_over:
            return self._passed_over.pop(0)
        return await self._receive()

    async def _receive(self) -> ServerFrame:
        async with asyncio.timeout(WAIT_SECONDS):
            raw = await self.socket.recv()
        return json_format.Parse(raw, ServerFrame())

    async def send(self, frame: ClientFrame) -> str:
        """Sends a frame; its id."""
        frame.id = frame.id or str(next(self._ids))
        await self.socket.send(json_format.MessageToJson(frame, indent=None))
        return frame.id

    async def answer_to(self, frame_id: str) -> ServerFrame:
        """The next frame that answers one of ours; others are kept for whoever asks for them."""
        for index, frame in enumerate(self._passed_over):
            if frame.id == frame_id:
                return self._passed_over.pop(index)
        while (frame := await self._receive()).id != frame_id:
            self._passed_over.append(frame)
        return frame

    async def ask(self, **kind: object) -> ServerFrame:
        """Sends a frame and waits for its first answer."""
        return await self.answer_to(await self.send(ClientFrame(**kind)))  # type: ignore[arg-type]

    async def say(
        self, content: str, conversation_id: str = "", **fields: object
    ) -> tuple[Ack, str]:
        """Sends a message; its ack and the id of its frame."""
        request = SendMessageRequest(
            conversation_id=conversation_id,
            content=content,
            request_id=secrets.token_hex(8),
            **fields,  # type: ignore[arg-type]
        )
        frame_id = await self.send(ClientFrame(send_message=request))
        frame = await self.answer_to(frame_id)
        assert frame.HasField("ack"), frame
        return frame.ack, frame_id

    async def command(self, text: str, conversation_id: str) -> ServerFrame:
        """Runs a command."""
        command = Command(
            conversation_id=conversation_id, text=text, request_id=secrets.token_hex(8)
        )
        return await self.ask(command=command)

    async def events(self, frame_id: str) -> list[TurnEvent]:
        """The events of a turn, to the last one."""
        found: list[TurnEvent] = []
        while not found or found[-1].WhichOneof("event") not in LAST:
            frame = await self.answer_to(frame_id)
            assert frame.HasField("turn_event"), frame
            found.append(frame.turn_event)
        return found

    async def until(self, frame_id: str, kind: str) -> list[TurnEvent]:
        """The events of a turn up to the first of a kind."""
        found: list[TurnEvent] = []
        while not found or found[-1].WhichOneof("event") != kind:
            frame = await self.answer_to(frame_id)
            assert frame.HasField("turn_event"), frame
            found.append(frame.turn_event)
        return found

    async def turn(
        self, content: str, conversation_id: str = "", **fields: object
    ) -> tuple[Ack, list[TurnEvent]]:
        """Sends a message and follows its turn to the end."""
        ack, frame_id = await self.say(content, conversation_id, **fields)
        return ack, await self.events(frame_id)


def text_of(events: list[TurnEvent]) -> str:
    """The text of all deltas."""
    return "".join(event.delta.text for event in events)


def kinds_of(events: list[TurnEvent]) -> list[str]:
    """Kinds of the events, neighbouring deltas as one."""
    kinds = [event.WhichOneof("event") or "" for event in events]
    return [kind for kind, _ in itertools.groupby(kinds)]
