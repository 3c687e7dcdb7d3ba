"""Files over HTTP, and their way through the hooks over a WebSocket."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio
from aiohttp import FormData

from gateway.app import Gateway
from kari.chat_hub.v1.chat_hub_pb2 import UploadFileStart
from kari.identity.v1.identity_pb2 import User
from servers.runtime.ids import new_id
from tests.gateway.client import Client, eventually
from tests.gateway.conftest import Serve
from tests.gateway.http_client import Answer, Http, http
from tests.gateway.mesh import Mesh
from tests.gateway.scripted_files import Upload
from tests.gateway.scripted_identity import ADA

TUS = {"tus-resumable": "1.0.0"}
CHUNK = {**TUS, "content-type": "application/offset+octet-stream"}


@pytest_asyncio.fixture(loop_scope="session")
async def ada(gateway: Gateway, mesh: Mesh) -> AsyncIterator[Http]:
    """Ada's HTTP client."""
    async with http(gateway.url, authorization=f"Bearer {mesh.identity.token()}") as client:
        yield client


def form(data: bytes, name: str = "notes.txt", **fields: str) -> FormData:
    """A form as browsers send it."""
    made = FormData()
    for field, value in fields.items():
        made.add_field(field, value)
    made.add_field("file", io.BytesIO(data), filename=name)
    return made


async def test_a_form_is_a_file(ada: Http, mesh: Mesh) -> None:
    """With its fields; the answer says where it is."""
    conversation_id = new_id("conv")
    data = b"0123456789" * 300_000
    answer = await ada.post(
        "/v1/files", data=form(data, "a.txt", conversation_id=conversation_id, strip_metadata="1")
    )
    file = answer.json()["file"]
    assert (answer.status, answer.headers["location"]) == (201, f"/v1/files/{file['id']}")
    (upload,) = mesh.hub.uploads.values()
    assert upload.data == data
    assert (upload.start.name, upload.start.conversation_id) == ("a.txt", conversation_id)
    assert upload.start.strip_metadata


async def test_a_form_sent_again_gives_the_same_file(ada: Http) -> None:
    """By its key, as a client does that heard no answer."""
    key = {"idempotency-key": "k-1"}
    first = await ada.post("/v1/files", data=form(b""), headers=key)
    again = await ada.post("/v1/files", data=form(b""), headers=key)
    assert first.json()["file"]["id"] == again.json()["file"]["id"]


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"x", "text/plain", "REASON_FRAME_INVALID"),
        (b"x", "multipart/form-data", "REASON_FRAME_INVALID"),
        (b"rubbish", "multipart/form-data; boundary=b", "REASON_FRAME_INVALID"),
        (b"--b\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=b", "REASON_FIELD_INVALID"),
        (b"", "multipart/form-data; boundary=b", "REASON_FIELD_INVALID"),
    ],
)
async def test_what_is_no_form_is_refused(
    ada: Http, body: bytes, content_type: str, reason: str
) -> None:
    answer = await ada.post("/v1/files", data=body, headers={"content-type": content_type})
    assert (answer.status, answer.envelope()["reason"]) == (400, reason)


async def test_two_files_in_a_form_are_refused(ada: Http) -> None:
    """Which of them is meant?"""
    two = form(b"one")
    two.add_field("file", b"two", filename="two.txt")
    assert (await ada.post("/v1/files", data=two)).status == 400


def parts(*parts: tuple[str, str], ended: bool = True) -> bytes:
    """A form of header parameters and bodies."""
    head = "--b\r\ncontent-disposition: form-data; {}\r\n\r\n{}\r\n"
    return ("".join(head.format(*part) for part in parts) + "--b--\r\n" * ended).encode()


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        (
            parts(('name="file"; filename="a"', "x"), ('name="strip_metadata"', "1")),
            "strip_metadata",
            "fields come before the file",
        ),
        (
            parts(('name="file"; filename="a"', "x"), ('name="conversation_id"', "conv_1")),
            "conversation_id",
            "fields come before the file",
        ),
        (parts(('name="avatar"; filename="a"', "x")), "avatar", "field `file`"),
        (parts(('name="file"', "x")), "file", "filename"),
    ],
)
async def test_a_form_in_another_order_is_refused(
    ada: Http, mesh: Mesh, body: bytes, field: str, told: str
) -> None:
    """Nothing that was asked for is forgotten in silence, and nothing of the file is kept."""
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await ada.post("/v1/files", data=body, headers=headers)
    envelope = answer.envelope()
    assert (answer.status, envelope["violations"][0]["field"]) == (400, field)
    assert told in envelope["message"]
    assert not any(upload.data for upload in mesh.hub.uploads.values())
    assert mesh.hub.files == {}


async def test_a_form_says_how_large_its_file_is(ada: Http, mesh: Mesh) -> None:
    """Without its own overhead, whatever stands before the file."""
    await ada.post("/v1/files", data=form(b"0123456789" * 100_000, conversation_id=new_id("conv")))
    (upload,) = mesh.hub.uploads.values()
    assert (upload.start.expected_bytes, upload.start.size_bytes) == (1_000_000, 0)


async def test_ten_gigabytes_are_refused_before_they_come(gateway: Gateway, mesh: Mesh) -> None:
    """By the length of the form: nobody waits for its bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rsplit(":")[-1]))
    body = parts(('name="file"; filename="a"', "0" * 100), ended=False)
    head = (
        f"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {mesh.identity.token()}\r\n"
        "content-type: multipart/form-data; boundary=b\r\ncontent-length: 10000000000\r\n\r\n"
    )
    writer.write(head.encode() + body)
    told = await reader.readuntil(b"}")
    writer.close()
    assert b"413" in told.split(b"\r\n")[0]
    assert b"REASON_TOO_LARGE" in told
    assert mesh.hub.uploads == {}


async def test_ten_gigabytes_are_refused_by_tus(ada: Http) -> None:
    answer = await ada.post("/v1/uploads", headers={**TUS, "upload-length": "10000000000"})
    assert (answer.status, answer.envelope()["reason"]) == (413, "REASON_TOO_LARGE")


async def test_an_upload_is_given_up(ada: Http, mesh: Mesh) -> None:
    """By tus: nothing of it is kept. A finished one is a file."""
    created = await ada.post("/v1/uploads", headers={**TUS, "upload-length": "10"})
    place = created.headers["location"]
    await ada.request("PATCH", place, data=b"0123", headers={**CHUNK, "upload-offset": "0"})
    assert (await ada.request("DELETE", place, headers=TUS)).status == 204
    assert mesh.hub.uploads == {}
    assert (await ada.request("DELETE", place, headers=TUS)).status == 404
    done = await ada.post("/v1/uploads", headers={**TUS, "upload-length": "0"})
    place = done.headers["location"]
    assert (await ada.request("DELETE", place, headers=TUS)).status == 409


async def test_a_form_that_is_cut_here_leaves_nothing_unless_its_client_can_go_on(
    ada: Http, mesh: Mesh
) -> None:
    """As on a full disk: without a key of its own nobody knows which one to go on with."""
    for headers, left in (({}, []), ({"idempotency-key": "mine"}, ["mine"])):
        mesh.hub.cut_at = 10
        answer = await ada.post("/v1/files", data=form(b"x" * 100), headers=headers)
        assert answer.status == 503
        assert list(mesh.hub.uploads) == left


async def test_uploads_are_limited(serve: Serve, mesh: Mesh) -> None:
    """How many a user begins, and how many transfers are under way at once."""
    somebody = User(id=new_id("user"), tenant_id=ADA.tenant_id, roles=ADA.roles)
    token = mesh.identity.token(somebody)
    async with (
        serve(uploads_per_minute=2, transfers_per_user=1) as limited,
        http(limited.url, authorization=f"Bearer {token}") as client,
    ):
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield parts(('name="file"; filename="a"', "x"), ended=False)
            begun.set()
            await go_on.wait()
            yield b"--b--\r\n"

        headers = {"content-type": "multipart/form-data; boundary=b"}
        first = asyncio.ensure_future(client.post("/v1/files", data=slow(), headers=headers))
        await begun.wait()
        await eventually(lambda: under_way(mesh))
        file = mesh.hub.keep("a.txt", b"a")
        second = await client.get(f"/v1/files/{file.id}/content")
        assert (second.status, second.envelope()["reason"]) == (429, "REASON_UPLOAD_LIMIT")
        go_on.set()
        assert (await first).status == 201
        assert (await client.get(f"/v1/files/{file.id}/content")).status == 200
        created = {**TUS, "upload-length": "1"}
        assert (await client.post("/v1/uploads", headers=created)).status == 201
        refused = await client.post("/v1/uploads", headers=created)
        assert (refused.status, refused.envelope()["reason"]) == (429, "REASON_UPLOAD_LIMIT")


async def under_way(mesh: Mesh) -> bool:
    """Whether an upload has begun."""
    return bool(mesh.hub.uploads)


async def test_half_a_form_is_no_file(ada: Http, gateway: Gateway, mesh: Mesh) -> None:
    """A client that goes away in mid-file leaves an upload, not a file."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rsplit(":")[-1]))
    head = (
        f"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {mesh.identity.token()}\r\n"
        "content-type: multipart/form-data; boundary=b\r\ncontent-length: 100000\r\n\r\n"
        '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    writer.write(head.encode() + b"half")
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.close()
    with suppress(ConnectionError):
        await reader.read()

    async def given_up() -> bool:
        return bool(mesh.hub.uploads) and not mesh.hub.files

    await eventually(given_up)
    assert mesh.hub.files == {}


async def test_an_upload_goes_on_after_a_cut(ada: Http, mesh: Mesh) -> None:
    """By tus: create, look, append."""
    metadata = f"filename {base64.b64encode('Ä.bin'.encode()).decode()}"
    created = await ada.post(
        "/v1/uploads", headers={**TUS, "upload-length": "10", "upload-metadata": metadata}
    )
    assert created.status == 201
    place = created.headers["location"]
    part = await ada.request("PATCH", place, data=b"0123", headers={**CHUNK, "upload-offset": "0"})
    assert (part.status, part.headers["upload-offset"]) == (204, "4")
    looked = await ada.request("HEAD", place, headers=TUS)
    assert (looked.headers["upload-offset"], looked.headers["upload-length"]) == ("4", "10")
    elsewhere = {**CHUNK, "upload-offset": "3"}
    assert (await ada.request("PATCH", place, data=b"3", headers=elsewhere)).status == 409
    last = await ada.request(
        "PATCH", place, data=b"456789", headers={**CHUNK, "upload-offset": "4"}
    )
    file, data = mesh.hub.files[last.headers["kari-file-id"]]
    assert (file.name, data) == ("Ä.bin", b"0123456789")


async def test_an_upload_of_unknown_length_has_no_last_byte(ada: Http, mesh: Mesh) -> None:
    """As that of a form that was cut, until Upload-Length says once how many there are."""
    mesh.hub.uploads["cut"] = Upload(UploadFileStart(request_id="cut"), bytearray(b"01"))
    place = "/v1/uploads/cut"

    async def append(data: bytes, **more: str) -> Answer:
        offset = str(len(mesh.hub.uploads["cut"].data))
        headers = {**CHUNK, "upload-offset": offset, **more}
        return await ada.request("PATCH", place, data=data, headers=headers)

    looked = await ada.request("HEAD", place, headers=TUS)
    assert looked.headers["upload-defer-length"] == "1"
    for data, more in ((b"23", {}), (b"45", {"upload-length": "10"}), (b"67", {})):
        answer = await append(data, **more)
        assert (answer.status, "kari-file-id" in answer.headers) == (204, False)
    looked = await ada.request("HEAD", place, headers=TUS)
    assert (looked.headers["upload-offset"], looked.headers["upload-length"]) == ("8", "10")
    assert "upload-defer-length" not in looked.headers
    _, data = mesh.hub.files[(await append(b"89")).headers["kari-file-id"]]
    assert data == b"0123456789"


@pytest.mark.parametrize("length", ["0", "3"])
async def test_more_than_was_announced_is_refused(ada: Http, mesh: Mesh, length: str) -> None:
    """Nothing of it is kept."""
    mesh.hub.uploads["cut"] = Upload(UploadFileStart(request_id="cut"))
    headers = {**CHUNK, "upload-offset": "0", "upload-length": length}
    answer = await ada.request("PATCH", "/v1/uploads/cut", data=b"0123", headers=headers)
    assert (answer.status, answer.envelope()["reason"]) == (400, "REASON_UPLOAD_DIFFERS")
    assert mesh.hub.uploads == {}


async def test_an_upload_may_have_no_bytes(ada: Http, mesh: Mesh) -> None:
    """If that is what Upload-Length says."""
    mesh.hub.uploads["cut"] = Upload(UploadFileStart(request_id="cut"))
    headers = {**CHUNK, "upload-offset": "0", "upload-length": "0"}
    answer = await ada.request("PATCH", "/v1/uploads/cut", data=b"", headers=headers)
    assert mesh.hub.files[answer.headers["kari-file-id"]][1] == b""


@pytest.mark.parametrize(
    "headers",
    [
        {"upload-length": "1"},
        {**TUS},
        {**TUS, "upload-length": "-1"},
        {**TUS, "upload-length": "x"},
        {**TUS, "upload-length": "1", "upload-metadata": "filename ###"},
    ],
)
async def test_what_is_not_tus_is_refused(ada: Http, headers: dict[str, str]) -> None:
    assert (await ada.post("/v1/uploads", headers=headers)).status == 400


async def test_the_protocol_is_told(ada: Http) -> None:
    """For clients that ask first."""
    answer = await ada.request("OPTIONS", "/v1/uploads")
    assert (answer.status, answer.headers["tus-version"]) == (204, "1.0.0")


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        ("", 200, "0123456789", None),
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-3", 206, "789", "bytes 7-9/10"),
        ("bytes=0-99", 206, "0123456789", "bytes 0-9/10"),
        ("bytes=0-1,4-5", 200, "0123456789", None),
        ("lines=1-2", 200, "0123456789", None),
        ("bytes=5-2", 200, "0123456789", None),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
    ],
)
async def test_ranges(
    ada: Http, mesh: Mesh, header: str, status: int, body: str | None, content_range: str | None
) -> None:
    file = mesh.hub.keep("digits.txt", b"0123456789")
    answer = await ada.get(f"/v1/files/{file.id}/content", headers={"range": header})
    assert (answer.status, answer.headers.get("content-range")) == (status, content_range)
    if body is not None:
        assert (answer.body, answer.headers["content-length"]) == (body, str(len(body)))


async def test_bytes_that_the_client_has_are_not_sent_again(ada: Http, mesh: Mesh) -> None:
    """By their validator; a part only goes with the bytes it was begun with."""
    file = mesh.hub.keep("digits.txt", b"0123456789")
    place = f"/v1/files/{file.id}/content"
    etag = (await ada.get(place)).headers["etag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        answer = await ada.get(place, headers={"if-none-match": known})
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, "", etag)
    assert (await ada.get(place, headers={"if-none-match": '"other"'})).status == 200
    for validator, status, body in (
        (etag, 206, "234"),
        ('"other"', 200, "0123456789"),
        (f"W/{etag}", 200, "0123456789"),
        ("Sat, 28 Nov 2026 07:00:00 GMT", 200, "0123456789"),
    ):
        headers = {"range": "bytes=2-4", "if-range": validator}
        answer = await ada.get(place, headers=headers)
        assert (answer.status, answer.body) == (status, body)


async def test_head_tells_without_bytes(ada: Http, mesh: Mesh) -> None:
    file = mesh.hub.keep("digits.txt", b"0123456789")
    answer = await ada.request("HEAD", f"/v1/files/{file.id}/content")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "10", "")


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/pdf", "attachment"),
        ("audio/x-mpegurl", "attachment"),
        ("image/png", "inline"),
        ("text/plain", "inline"),
        ("video/mp4", "inline"),
    ],
)
async def test_nothing_in_a_file_runs(ada: Http, mesh: Mesh, content_type: str, shown: str) -> None:
    """Active types are downloads, and even those that are shown are in a sandbox."""
    file = mesh.hub.keep('"quoted" \r\nname.html', b"<script>", content_type)
    answer = await ada.get(f"/v1/files/{file.id}/content")
    assert answer.headers["content-disposition"].startswith(f"{shown}; filename*=UTF-8''%22quoted")
    assert answer.headers["content-disposition"].endswith('; filename="_quoted_ __name.html"')
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox")
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["content-type"].startswith(content_type)


async def test_a_refused_file_is_not_served(ada: Http, mesh: Mesh) -> None:
    """It says why, before a byte."""
    file = mesh.hub.keep("x.txt", b"virus")
    answer = await ada.get(f"/v1/files/{file.id}/content")
    assert (answer.status, answer.envelope()["reason"]) == (409, "REASON_FILE_REFUSED")


async def test_files_are_listed_shown_and_deleted(ada: Http, mesh: Mesh) -> None:
    file = mesh.hub.keep("a.txt", b"a")
    listed = (await ada.get("/v1/files?page_size=5")).json()
    assert [each["id"] for each in listed["files"]] == [file.id]
    assert (await ada.get(f"/v1/files/{file.id}")).json()["file"]["name"] == "a.txt"
    assert (await ada.request("DELETE", f"/v1/files/{file.id}")).json() == {"erased": True}
    assert (await ada.get(f"/v1/files/{file.id}")).status == 404
    assert (await ada.get("/v1/files?page_size=x")).status == 400
    assert (await ada.get("/v1/files/nonsense")).status == 400


async def test_strangers_get_nothing(gateway: Gateway, mesh: Mesh) -> None:
    """Neither without a token nor with the cookie from another page."""
    file = mesh.hub.keep("a.txt", b"a")
    async with http(gateway.url) as nobody:
        assert (await nobody.get(f"/v1/files/{file.id}/content")).status == 401
        assert (await nobody.post("/v1/files", data=form(b"x"))).status == 401
    foreign = {
        "cookie": f"kari_access={mesh.identity.token()}",
        "origin": "https://evil.example",
    }
    async with http(gateway.url, **foreign) as other_page:
        assert (await other_page.post("/v1/files", data=form(b"x"))).status == 403
    assert len(mesh.hub.files) == 1


@pytest.mark.parametrize(
    ("method", "site", "status"),
    [
        ("GET", "same-origin", 200),
        ("GET", "none", 200),
        ("GET", "", 200),
        ("GET", "cross-site", 403),
        ("GET", "same-site", 403),
        ("DELETE", "same-origin", 403),
    ],
)
async def test_a_link_of_the_page_reads_with_the_cookie(
    gateway: Gateway, mesh: Mesh, method: str, site: str, status: int
) -> None:
    """Browsers name no origin then, but say where the page is from; what changes something has to
    name it."""
    file = mesh.hub.keep("a.txt", b"a")
    cookie = {"cookie": f"kari_access={mesh.identity.token()}"}
    headers = {"sec-fetch-site": site} if site else {}
    async with http(gateway.url, **cookie, **headers) as linked:
        path = f"/v1/files/{file.id}" + ("/content" if method == "GET" else "")
        assert (await linked.request(method, path)).status == status


async def test_a_file_is_followed_through_the_hooks(client: Client, mesh: Mesh) -> None:
    """As it stands, then each change."""
    file = mesh.hub.keep("a.txt", b"virus")
    frame_id = await client.send(followFile={"fileId": file.id})
    first = await client.expect("fileChanged")
    assert (first["id"], first["fileChanged"]["file"]["state"]) == (
        frame_id,
        "FILE_STATE_QUARANTINED",
    )
    mesh.hub.looked_at.set()
    last = (await client.expect("fileChanged"))["fileChanged"]
    assert (last["file"]["state"], last["done"]) == ("FILE_STATE_REFUSED", True)
    await client.send(followFile={"fileId": new_id("file")})
    assert (await client.refused())["reason"] == "REASON_FILE_NOT_FOUND"


async def test_files_are_listed_over_the_socket(client: Client, mesh: Mesh) -> None:
    file = mesh.hub.keep("a.txt", b"a")
    await client.send(files={})
    listed = (await client.expect("result"))["result"]["files"]["files"]
    assert [each["id"] for each in listed] == [file.id]
