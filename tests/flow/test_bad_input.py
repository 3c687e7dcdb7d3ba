"""Rubbish, strangers and too much of everything: each gets its answer and harms nobody else."""

import asyncio
import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import grpc
import pytest
import websockets

from kari.chat_hub.v1.chat_hub_pb2 import (
    FollowTurnRequest,
    ListMessagesRequest,
    SearchRequest,
    SearchResponse,
)
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceStub
from kari.conversation_models.v1.search_pb2 import SearchFilter, SearchWay
from kari.edge.v1.frames_pb2 import ClientFrame
from kari.errors.v1.errors_pb2 import ErrorEnvelope, ErrorType, Reason
from servers.runtime.errors import envelope_of
from servers.runtime.ids import new_id
from tests.flow.conftest import Mesh
from tests.hosting import until
from tests.running import Kari
from tests.runtime.tokens import access_token
from tests.socket_client import SocketClient, opened

WORDS, VECTORS = SearchWay.SEARCH_WAY_FULL_TEXT, SearchWay.SEARCH_WAY_VECTORS
EVERYTHING = SearchWay.SEARCH_WAY_UNSPECIFIED


async def error_after(mesh: Mesh, raw: str) -> ErrorEnvelope:
    """What the socket says to a raw frame."""
    async with opened(mesh.kari, await mesh.token()) as client:
        await client.socket.send(raw)
        frame = await client.next()
    assert frame.HasField("error"), frame
    return frame.error


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("not json", Reason.REASON_FRAME_INVALID),
        ("[]", Reason.REASON_FRAME_INVALID),
        ('{"id": "1", "dance": {}}', Reason.REASON_FRAME_INVALID),
        ('{"id": "1", "sendMessage": {"content": 7}}', Reason.REASON_FIELD_INVALID),
    ],
    ids=["not JSON", "no object", "unknown kind", "wrong type"],
)
async def test_a_frame_that_is_none_is_refused(
    mesh: Mesh, raw: str, reason: Reason.ValueType
) -> None:
    """And the socket stays open for the next one."""
    error = await error_after(mesh, raw)
    assert error.type == ErrorType.ERROR_TYPE_VALIDATION
    assert error.reason == reason
    assert error.correlation_id


@pytest.mark.parametrize("length", [0, 200_000])
async def test_a_message_of_a_wrong_length_names_its_field(mesh: Mesh, length: int) -> None:
    """Empty or far too long."""
    frame = {"id": "1", "sendMessage": {"content": "x" * length, "requestId": "r"}}
    error = await error_after(mesh, json.dumps(frame))
    assert error.reason == Reason.REASON_FIELD_INVALID
    assert [v.field for v in error.violations] == ["send_message.content"]
    assert not error.retryable


async def test_a_frame_over_the_limit_is_refused(mesh: Mesh) -> None:
    """The error says how large it may be."""
    error = await error_after(mesh, "x" * 1_500_000)
    assert error.reason == Reason.REASON_TOO_LARGE
    assert error.details["limit"] == "1048576"


async def test_a_frame_far_over_the_limit_closes_the_socket(mesh: Mesh) -> None:
    """1009, as RFC 6455 says."""
    async with opened(mesh.kari, await mesh.token()) as client:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.gather(client.socket.send("x" * 3_000_000), client.next())
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def refused(kari: Kari, token: str) -> dict[str, object]:
    """Body of a refused upgrade."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with pytest.raises(websockets.InvalidStatus) as status:
        await websockets.connect(
            f"ws://127.0.0.1:{kari.http_port}/v1/chat",
            subprotocols=[websockets.Subprotocol("kari.v1.json")],
            additional_headers=headers,
        )
    assert status.value.response.status_code == 401
    body: dict[str, object] = json.loads(status.value.response.body or b"{}")
    return body


async def test_a_missing_token_is_refused_before_the_upgrade(mesh: Mesh) -> None:
    assert (await refused(mesh.kari, ""))["reason"] == "REASON_TOKEN_MISSING"


async def test_a_forged_token_is_refused_before_the_upgrade(mesh: Mesh) -> None:
    head, claims, signature = (await mesh.token()).split(".")
    forged = f"{head}.{claims}.{signature[::-1]}"
    assert (await refused(mesh.kari, forged))["reason"] == "REASON_TOKEN_INVALID"


async def test_an_expired_token_is_refused_before_the_upgrade(mesh: Mesh) -> None:
    """It says so: whoever has a refresh token can help himself."""
    expired = access_token(mesh.keys(), exp=int(time.time()) - 60)
    assert (await refused(mesh.kari, expired))["reason"] == "REASON_TOKEN_EXPIRED"


async def test_another_tenant_finds_no_conversation(mesh: Mesh) -> None:
    """Not even for the same user id, nor for its administrator."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, events = await client.turn("private")
    owner = events[0].accepted.message.user_id
    stranger = access_token(
        mesh.keys(), sub=owner, tenant=new_id("tenant"), roles=["chat.user", "admin"]
    )
    listing = ListMessagesRequest(conversation_id=ack.conversation_id)
    async with opened(mesh.kari, stranger) as other:
        history = await other.ask(history=listing)
        turn = await other.ask(resume=FollowTurnRequest(turn_id=ack.turn.id))
    assert history.error.reason == Reason.REASON_CONVERSATION_NOT_FOUND
    assert turn.error.reason == Reason.REASON_TURN_NOT_FOUND


async def test_an_unknown_model_fails_the_turn_and_keeps_the_message(mesh: Mesh) -> None:
    """The error lists the known ones."""
    async with opened(mesh.kari, await mesh.token()) as client:
        _, frame_id = await client.say("who answers", model="nobody/nothing")
        events = await client.events(frame_id)
    error = events[-1].failed.error
    assert error.reason == Reason.REASON_MODEL_NOT_FOUND
    assert mesh.answer in str(error.details)


@pytest.mark.parametrize("trouble", ["status-500", "cut", "silent"])
async def test_a_provider_in_trouble_leads_to_an_end(mesh: Mesh, trouble: str) -> None:
    """500 for ever, a stream that is cut, a provider that says nothing: the fallback answers, or
    the turn fails with its text kept. It never stays open."""
    async with opened(mesh.kari, await mesh.token()) as client:
        _, frame_id = await client.say("try it", model=mesh.named(trouble))
        events = await client.events(frame_id)
        _, after = await client.turn("and you")
    kinds = [event.WhichOneof("event") for event in events]
    if trouble == "cut":
        assert events[-1].failed.message.partial
    else:
        assert "provider_switched" in kinds
        assert kinds[-1] == "completed"
    assert after[-1].HasField("completed")


async def slow_readers(mesh: Mesh) -> float:
    return (await mesh.metrics())["kari_gateway_slow_readers_total"]


async def more_slow_readers(mesh: Mesh, before: float) -> bool:
    return await slow_readers(mesh) > before


async def ask_for_too_much(client: SocketClient, conversation_id: str) -> None:
    """Asks 60 times for a history of 360 kB: more than buffers hold. Then reads on and on."""
    listing = ListMessagesRequest(conversation_id=conversation_id)
    for _ in range(60):
        await client.send(ClientFrame(history=listing))
    while True:
        await client.next()


async def test_a_client_that_never_reads_is_closed_and_harms_nobody(mesh: Mesh) -> None:
    """Others are answered while its socket is stuck; it is counted, and told why."""
    token, before = await mesh.token(), await slow_readers(mesh)
    async with opened(mesh.kari, token) as stuck:
        ack, _ = await stuck.turn("x" * 90_000)
        for _ in range(3):
            await stuck.turn("x" * 90_000, ack.conversation_id)
        stuck.socket.transport.pause_reading()
        asking = asyncio.create_task(ask_for_too_much(stuck, ack.conversation_id))
        async with opened(mesh.kari, token) as other:
            _, events = await other.turn("quick")
        await until(partial(more_slow_readers, mesh, before))
        stuck.socket.transport.resume_reading()
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asking
    assert events[-1].HasField("completed")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 3008


@asynccontextmanager
async def searching(mesh: Mesh) -> AsyncIterator[Callable[..., Awaitable[SearchResponse]]]:
    """A function that searches as the demo user, through the hub."""
    header = ("authorization", f"Bearer {await mesh.token()}")
    async with grpc.aio.insecure_channel(mesh.kari.address("chat_hub")) as channel:
        stub = ChatHubServiceStub(channel)

        async def search(query: str, **fields: object) -> SearchResponse:
            request = SearchRequest(query=query, **fields)  # type: ignore[arg-type]
            found: SearchResponse = await stub.Search(request, metadata=[header])
            return found

        yield search


def ids(found: SearchResponse) -> list[str]:
    """The messages that were found."""
    return [each.message_id for each in found.results]


async def test_a_message_of_100_kb_goes_the_whole_way(mesh: Mesh) -> None:
    """Written, put into its prompt as far as it fits, found by its last word and by its meaning;
    and the next turn is answered."""
    needle = f"quokka{secrets.token_hex(4)}"
    text = ("the sailor repairs the mast of a boat " * 3000)[: 99_999 - len(needle)] + f" {needle}"
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, events = await client.turn(text)
        _, after = await client.turn("and you", ack.conversation_id)
        listing = ListMessagesRequest(conversation_id=ack.conversation_id)
        message = (await client.ask(history=listing)).result.history.messages[-1]
    assert events[-1].HasField("completed")
    assert after[-1].HasField("completed")
    assert message.content == text
    assert text[:1000] in str(mesh.upstream.requests[-2])
    limits = SearchFilter(conversation_id=ack.conversation_id)
    async with searching(mesh) as search:
        assert message.id in ids(await search(needle, filter=limits, way=WORDS))

        async def by_meaning() -> bool:
            return message.id in ids(await search("seafaring", filter=limits, way=VECTORS))

        await until(by_meaning)


QUERIES = (
    "the of and to",
    '""" \' " -',
    "& | ! ( ) : * <-> \\",
    'AND OR NOT "NEAR/2" field:value ~2 [a TO b]',
    "'; DROP TABLE messages; --",
    'tenant_id == "x" or 1 == 1',
    "%s $1 {0} \u202e\u200b",
    "界隈のドラゴン",
    "أين الجمل",
    "ה־גמל",
    "🐻 🐻‍❄️ 👩‍👩‍👧",
    "é" + "\u0301" * 500,
    "-" * 2000,
    '"' * 1999,
    "x " * 1000,
)


@pytest.mark.parametrize("way", [WORDS, VECTORS, EVERYTHING], ids=["words", "vectors", "fused"])
async def test_any_query_is_answered(mesh: Mesh, way: SearchWay.ValueType) -> None:
    """Stop words, quotes, operators, injections, other scripts, and as long as it may be: with
    nothing missing."""
    async with searching(mesh) as search:
        for query in QUERIES:
            assert not (await search(query, way=way)).degradations, query


async def test_words_of_other_scripts_are_found(mesh: Mesh) -> None:
    """By words alone: the local embedder knows English best."""
    said = {
        "медведя": "вчера мы видели медведя",
        "الجمل": "رأيت الجمل في الصحراء",
        "ドラゴン": "昨日 ドラゴン を見た",
        "δράκο": "τον δράκο είδα",
        "straße": "Ünïcödé Straße",
        "e\u0301te\u0301": "un e\u0301te\u0301 a\u0300 Nice",
    }
    async with opened(mesh.kari, await mesh.token()) as client, searching(mesh) as search:
        for query, text in said.items():
            await client.turn(text)
            found = await search(query, way=WORDS)
            assert text in [each.content for each in found.results]


@pytest.mark.parametrize("query", ["x" * 2001, "nul \0 inside"])
async def test_a_query_that_cannot_be_one_names_its_field(mesh: Mesh, query: str) -> None:
    async with searching(mesh) as search:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await search(query)
    envelope = envelope_of(refused.value)
    assert envelope is not None
    assert [v.field for v in envelope.violations] == ["query"]


async def test_an_http_error_is_an_envelope(mesh: Mesh) -> None:
    """Also outside of the socket."""
    request = urllib.request.Request(  # our own server on loopback
        f"{mesh.kari.http}/v1/auth/login",
        b'{"name": "demo", "password": "wrong password"}',
        {"content-type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as refusal:
        await asyncio.to_thread(urllib.request.urlopen, request)
    body = json.loads(refusal.value.read())
    refusal.value.close()
    assert refusal.value.code == 401
    assert body["reason"] == "REASON_CREDENTIALS_WRONG"
    assert body["correlationId"]
