"""A client of the gateway on the `websockets` library, speaking `kari.v1.json`."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from servers.runtime.ids import new_id

Frame = dict[str, Any]
JSON = Subprotocol("kari.v1.json")
SECONDS = 10.0


class Client:
    """One socket. Frames are proto3 JSON, as dictionaries."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.welcome: Frame = {}
        self._ids = (f"f{n}" for n in itertools.count(1))

    async def send(self, **kind: Any) -> str:
        """Sends a frame of a kind; gives its id."""
        frame_id = str(kind.pop("id", None) or next(self._ids))
        await self.connection.send(json.dumps({"id": frame_id, **kind}))
        return frame_id

    async def message(self, content: str, **more: Any) -> str:
        """Sends a message; gives the frame's id."""
        asked = {"content": content, "requestId": new_id("req"), **more}
        return await self.send(sendMessage=asked)

    async def receive(self) -> Frame:
        """The next frame."""
        frame: Frame = json.loads(await self.connection.recv())
        return frame

    async def expect(self, kind: str) -> Frame:
        """The next frame, which has to be of a kind."""
        frame = await self.receive()
        assert kind in frame, frame
        return frame

    async def events(self) -> list[Frame]:
        """Events of a turn, from here to its last one."""
        found: list[Frame] = []
        while not {"completed", "failed", "cancelled"} & set(found[-1] if found else {}):
            found.append((await self.expect("turnEvent"))["turnEvent"])
        return found

    async def refused(self) -> Frame:
        """The envelope of the next frame, which has to be an error; its id is put beside."""
        frame = await self.expect("error")
        return {**frame["error"], "id": frame.get("id", "")}

    async def closed(self) -> int:
        """The code with which the server closes, after whatever it still sends."""
        with suppress(ConnectionClosed):
            while True:
                await self.connection.recv()
        assert self.connection.close_code is not None
        return self.connection.close_code


@asynccontextmanager
async def connected(url: str, token: str, **options: Any) -> AsyncIterator[Client]:
    """An open socket that was welcomed."""
    async with connect(
        f"{url.replace('http', 'ws')}/v1/chat",
        additional_headers={"authorization": f"Bearer {token}"},
        subprotocols=[JSON],
        close_timeout=SECONDS,
        **options,
    ) as connection:
        client = Client(connection)
        client.welcome = (await client.expect("welcome"))["welcome"]
        yield client


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Returns when something holds that no message tells of."""
    async with asyncio.timeout(SECONDS):
        while not await holds():  # there is no event to wait for
            await asyncio.sleep(0.01)


def text_of(events: list[Frame]) -> str:
    """The text that the deltas make."""
    return "".join(event["delta"]["text"] for event in events if "delta" in event)
