"""Files of a user of a running Kari, over HTTP."""

import io
from typing import Any

import aiohttp
from google.protobuf import json_format

from kari.chat_hub.v1.chat_hub_pb2 import FollowFileRequest
from kari.conversation_models.v1.file_pb2 import File
from kari.edge.v1.frames_pb2 import ClientFrame
from tests.running import Kari
from tests.socket_client import SocketClient


class Drawer:
    """Uploads and reads files with a user's token."""

    def __init__(self, kari: Kari, token: str) -> None:
        self._kari = kari
        self.header = {"authorization": f"Bearer {token}"}

    async def upload(self, name: str, data: bytes) -> File:
        """A file by a form; as it was taken in."""
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(data), filename=name)
        status, body = await self.request("POST", "/v1/files", data=form)
        assert status == 201, body
        return json_format.ParseDict(body["file"], File())

    async def request(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Status and body of a request; the body as JSON if it is."""
        async with (
            aiohttp.ClientSession(self._kari.http, headers=self.header) as session,
            session.request(method, path, **options) as answer,
        ):
            if answer.content_type == "application/json":
                return answer.status, await answer.json()
            return answer.status, await answer.read()


async def settled(client: SocketClient, file: File) -> File:
    """A file once all its hooks have come to their end."""
    asked = FollowFileRequest(file_id=file.id)
    frame_id = await client.send(ClientFrame(follow_file=asked))
    while True:
        frame = await client.answer_to(frame_id)
        assert frame.HasField("file_changed"), frame
        if frame.file_changed.done:
            return frame.file_changed.file
