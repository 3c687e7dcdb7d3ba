"""Files, from an upload through every server to an answer and to a search."""

import asyncio
import hashlib
import io
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc

from kari.chat_hub.v1.chat_hub_pb2 import (
    GetUploadRequest,
    ListHooksRequest,
    ListReadersRequest,
    SearchRequest,
    UploadFileRequest,
    UploadFileStart,
)
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceStub
from kari.conversation_models.v1.file_pb2 import FileState, HookVerdict
from kari.conversation_models.v1.search_pb2 import FileResult
from kari.errors.v1.errors_pb2 import Reason
from tests.flow.conftest import QUOTING, RETELLING, Mesh
from tests.flow.files import Drawer, settled
from tests.flow.test_tools import results
from tests.hook_enabled_file.samples import bound, pdf, picture, scans
from tests.hosting import until
from tests.multimedia.samples import drawn
from tests.production_memory.memory import refusal
from tests.socket_client import SocketClient, login, opened, text_of

PAGES = (
    "The annual report of the ferry company.",
    "Passengers grew by twelve percent over the year.",
    "The captain of the ferry Aurora is called Ingeborg Halvorsen.",
)
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


async def test_an_answer_comes_from_a_file_with_its_page(mesh: Mesh) -> None:
    """And a search finds the page."""
    token = await mesh.token()
    drawer = Drawer(mesh.kari, token)
    async with opened(mesh.kari, token) as client:
        file = await settled(client, await drawer.upload("ferry.pdf", pdf(PAGES)))
        assert (file.state, file.chunks) == (FileState.FILE_STATE_READY, 3)
        _, events = await client.turn(
            "Who is the captain of the Aurora?", model=QUOTING, file_ids=[file.id]
        )
        found = await until(lambda: captain(client))
    message = events[-1].completed.message
    assert "Ingeborg Halvorsen" in message.content == text_of(events)
    assert "ferry.pdf, page 3" in message.content
    assert events[0].accepted.message.file_ids == [file.id]
    assert (found.name, found.chunk.anchor.page) == ("ferry.pdf", 3)


async def test_a_file_that_is_named_is_read_for_a_model_without_tools(mesh: Mesh) -> None:
    """By its name or its id; what stands in it comes into the answer."""
    token = await mesh.token()
    text = b"The keeper of the lighthouse is called Aldo Ferrant."
    async with opened(mesh.kari, token) as client:
        file = await settled(client, await Drawer(mesh.kari, token).upload("lighthouse.txt", text))
        _, named = await client.turn("Summarize lighthouse.txt, please.", model=RETELLING)
        _, by_id = await client.turn(f"What is in {file.id}?", model=RETELLING)
    for events in (named, by_id):
        (result,) = results(events)
        assert (result.tool_id, result.success) == ("file.read", True)
        message = events[-1].completed.message
        assert message.content.startswith("Results: ")
        assert "Aldo Ferrant" in message.content
        assert [use.tool_id for use in message.tools_called] == ["file.read"]


async def test_a_scan_is_found_by_a_word_with_its_page(mesh: Mesh) -> None:
    """Between pages that hold text."""
    token = await mesh.token()
    drawer = Drawer(mesh.kari, token)
    scan = bound(pdf(PAGES[:1]), scans(drawn("Lighthouse keeper")))
    async with opened(mesh.kari, token) as client:
        file = await settled(client, await drawer.upload("scan.pdf", scan))
        assert file.chunks == 2

        async def keeper() -> FileResult | None:
            frame = await client.ask(search=SearchRequest(query="lighthouse"))
            files = frame.result.search.files
            return next((found for found in files if found.file_id == file.id), None)

        found = await until(keeper)
    assert (found.name, found.chunk.anchor.page) == ("scan.pdf", 2)


async def captain(client: SocketClient) -> FileResult | None:
    """The piece of a file that names the captain, once it is found."""
    frame = await client.ask(search=SearchRequest(query="captain Halvorsen"))
    return next(iter(frame.result.search.files), None)


async def test_a_virus_is_refused_and_that_is_on_record(mesh: Mesh) -> None:
    """Nobody reads it, nobody sends it."""
    token = await mesh.token()
    drawer = Drawer(mesh.kari, token)
    async with opened(mesh.kari, token) as client:
        file = await settled(client, await drawer.upload("notes.txt", EICAR))
        assert file.state == FileState.FILE_STATE_REFUSED
        status, body = await drawer.request("GET", f"/v1/files/{file.id}/content")
        assert (status, body["reason"]) == (409, "REASON_FILE_REFUSED")
        refused = await client.ask(
            send_message={"content": "look", "request_id": file.id, "file_ids": [file.id]}
        )
    assert refused.error.reason == Reason.REASON_FILE_REFUSED
    code, output = await mesh.kari.command(
        "audit", "tail", "-n", "200", "--action", "file.hook", "--json"
    )
    assert code == 0, output
    records = [json.loads(line) for line in output.splitlines()]
    (record,) = [
        r
        for r in records
        if r["entry"]["resource"] == file.id and "REFUSED" in r["entry"]["outcome"]
    ]
    assert record["entry"]["details"]["hook"] == "scan"


async def test_a_model_that_sees_is_shown_an_image(mesh: Mesh) -> None:
    """What is written on it is read as well."""
    token = await mesh.token()
    drawer = Drawer(mesh.kari, token)
    async with opened(mesh.kari, token) as client:
        file = await settled(client, await drawer.upload("picture.png", picture()))
        verdicts = {report.hook: report.verdict for report in file.reports}
        assert verdicts["text"] == HookVerdict.HOOK_VERDICT_PASSED
        _, events = await client.turn("What is it?", model=QUOTING, file_ids=[file.id])
    assert "[1 images]" in events[-1].completed.message.content


async def test_files_of_others_are_not_there(mesh: Mesh) -> None:
    """Neither to read nor to send."""
    drawer = Drawer(mesh.kari, await mesh.token())
    file = await drawer.upload("mine.txt", b"mine alone")
    other = Drawer(mesh.kari, await mesh.plain_token())
    for method, path in (
        ("GET", f"/v1/files/{file.id}"),
        ("GET", f"/v1/files/{file.id}/content"),
        ("DELETE", f"/v1/files/{file.id}"),
    ):
        status, body = await other.request(method, path)
        assert (status, body["reason"]) == (404, "REASON_FILE_NOT_FOUND")
    async with opened(mesh.kari, await mesh.plain_token()) as client:
        refused = await client.ask(
            send_message={"content": "look", "request_id": file.id, "file_ids": [file.id]}
        )
    assert refused.error.reason == Reason.REASON_FILE_NOT_FOUND


async def test_a_deleted_file_is_gone(mesh: Mesh) -> None:
    """Its bytes and its words."""
    token = await mesh.token()
    drawer = Drawer(mesh.kari, token)
    async with opened(mesh.kari, token) as client:
        text = b"the word xylofonist is said nowhere else"
        file = await settled(client, await drawer.upload("word.txt", text))
        query = SearchRequest(query="xylofonist")

        async def found() -> set[str]:
            """By its words; others of the user may be found by what they mean."""
            return {each.file_id for each in (await client.ask(search=query)).result.search.files}

        assert file.id in await found()
        status, body = await drawer.request("DELETE", f"/v1/files/{file.id}")
        assert (status, body) == (200, {"erased": True})
        assert file.id not in await found()
    status, _ = await drawer.request("GET", f"/v1/files/{file.id}/content")
    assert status == 404


async def test_ten_gigabytes_are_refused_before_a_byte(mesh: Mesh) -> None:
    """As a form, by tus and over gRPC; nothing of it counts."""
    token = await mesh.token()
    drawer = Drawer(mesh.kari, token)
    huge = 10_000_000_000

    async def beginning() -> AsyncIterator[bytes]:
        yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nbegun'
        await asyncio.Event().wait()

    headers = {"content-type": "multipart/form-data; boundary=b", "content-length": str(huge)}
    status, body = await drawer.request("POST", "/v1/files", data=beginning(), headers=headers)
    assert (status, body["reason"]) == (413, "REASON_TOO_LARGE")
    headers = {"tus-resumable": "1.0.0", "upload-length": str(huge), "idempotency-key": "huge"}
    status, body = await drawer.request("POST", "/v1/uploads", headers=headers)
    assert (status, body["reason"]) == (413, "REASON_TOO_LARGE")
    header = ("authorization", f"Bearer {token}")
    async with grpc.aio.insecure_channel(mesh.kari.address("chat_hub")) as channel:
        hub = ChatHubServiceStub(channel)
        start = UploadFileStart(request_id="huge", size_bytes=huge)
        call = hub.UploadFile(iter([UploadFileRequest(start=start)]), metadata=[header])
        assert (await refusal(call)).reason == Reason.REASON_TOO_LARGE
        looked = hub.GetUpload(GetUploadRequest(request_id="huge"), metadata=[header])
        assert (await refusal(looked)).reason == Reason.REASON_FILE_NOT_FOUND


async def test_a_form_that_was_cut_goes_on_by_tus(mesh: Mesh) -> None:
    """Under its Idempotency-Key; who sends it again from the beginning is told where to go on."""
    data, key = secrets.token_bytes(3_000_000), secrets.token_hex(8)
    token = await login(mesh.kari)
    drawer = Drawer(mesh.kari, token)
    await cut_form(mesh, token, key, data[:2_000_000])
    place = f"/v1/uploads/{key}"
    tus = {"tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream"}
    async with aiohttp.ClientSession(mesh.kari.http, headers=drawer.header) as session:

        async def offset() -> int:
            async with session.head(place, headers=tus) as looked:
                known = looked.headers.get("upload-defer-length") == "1"
                return int(looked.headers["upload-offset"]) if known else 0

        came = await until(offset)
        again = {"idempotency-key": key}
        form = aiohttp.FormData({"file": io.BytesIO(data)})
        async with session.post("/v1/files", data=form, headers=again) as answer:
            error = await answer.json()
        assert (error["reason"], error["details"]["offset"]) == ("REASON_UPLOAD_OFFSET", str(came))
        # As tus has it: how long it is is said once.
        said = {"upload-length": str(len(data))}
        for end in (2_500_000, 2_700_000, len(data)):
            headers = {**tus, "upload-offset": str(came), **said}
            async with session.patch(place, data=data[came:end], headers=headers) as answer:
                came, said = int(answer.headers["upload-offset"]), {}
                file_id = answer.headers.get("kari-file-id")
            assert (came, file_id is None) == (end, end < len(data))
        async with session.get(f"/v1/files/{file_id}") as answer:
            file = (await answer.json())["file"]
    assert file["sha256"] == hashlib.sha256(data).hexdigest()


async def test_a_key_is_that_of_one_file(mesh: Mesh) -> None:
    """The same form again gives the same file, though its metadata went; another is refused."""
    drawer = Drawer(mesh.kari, await login(mesh.kari))
    key = {"idempotency-key": secrets.token_hex(8)}
    photo, other = picture("JPEG", exif=True), picture("PNG")

    async def sent(data: bytes) -> tuple[int, Any]:
        form = aiohttp.FormData({"strip_metadata": "1"})
        form.add_field("file", io.BytesIO(data), filename="photo.jpg")
        return await drawer.request("POST", "/v1/files", data=form, headers=key)

    async def stripped() -> bool:
        _, found = await drawer.request("GET", f"/v1/files/{first['file']['id']}")
        return bool(found["file"]["sha256"] != hashlib.sha256(photo).hexdigest())

    status, first = await sent(photo)
    assert status == 201
    await until(stripped)
    status, again = await sent(photo)
    assert (status, again["file"]["id"]) == (201, first["file"]["id"])
    for data in (other, photo[:-1], photo + b"more"):
        status, refused = await sent(data)
        assert (status, refused["reason"]) == (409, "REASON_REQUEST_ID_REUSED")


async def cut_form(mesh: Mesh, token: str, key: str, data: bytes) -> None:
    """A client that goes away in the middle of a form."""
    _, writer = await asyncio.open_connection("127.0.0.1", mesh.kari.http_port)
    head = (
        f"POST /v1/files HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
        f"idempotency-key: {key}\r\ncontent-type: multipart/form-data; boundary=b\r\n"
        f"content-length: {2 * len(data)}\r\n\r\n"
        '--b\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    )
    writer.write(head.encode() + data)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_the_hub_lists_hooks_and_readers(mesh: Mesh) -> None:
    """As docs/files.md shows it with grpcurl: with a user's token, at the hub's port."""
    metadata = [("authorization", f"Bearer {await mesh.token()}")]
    async with grpc.aio.insecure_channel(mesh.kari.address("chat_hub")) as channel:
        hub = ChatHubServiceStub(channel)
        hooks = (await hub.ListHooks(ListHooksRequest(), metadata=metadata)).hooks
        readers = (await hub.ListReaders(ListReadersRequest(), metadata=metadata)).readers
    assert [hook.name for hook in hooks][:2] == ["scan", "archives"]
    assert [reader.name for reader in readers] == ["caption", "ocr", "speech", "video"]
    assert "[caption] model" in readers[0].unavailable_because
