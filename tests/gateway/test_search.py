"""Searching over a real WebSocket."""

import pytest

from gateway.app import Gateway
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.search_pb2 import SummaryResult
from kari.conversation_models.v1.summary_pb2 import ConversationSummary
from tests.gateway.client import Client, connected
from tests.gateway.mesh import Mesh
from tests.gateway.scripted_identity import ADA, BOB


async def test_what_was_said_is_found(client: Client, mesh: Mesh) -> None:
    """With the places of the words, under the id of the request."""
    conversation_id = mesh.hub.past(ADA.id, "the zeppelin lands", "nothing")
    frame_id = await client.send(search={"query": "zeppelin"})
    frame = await client.expect("result")
    (found,) = frame["result"]["search"]["results"]
    assert (frame["id"], found["conversationId"]) == (frame_id, conversation_id)
    assert (found["content"], found["highlights"]) == (
        "the zeppelin lands",
        [{"start": 4, "end": 12}],
    )


async def test_what_was_found_comes_in_pages(client: Client, mesh: Mesh) -> None:
    """Each names the next one, but for the last."""
    mesh.hub.past(ADA.id, *(f"apple {n}" for n in range(5)))
    texts, token = list[str](), ""
    for _ in range(3):
        await client.send(search={"query": "apple", "pageSize": 2, "pageToken": token})
        page = (await client.expect("result"))["result"]["search"]
        texts += [found["content"] for found in page["results"]]
        token = page.get("nextPageToken", "")
    assert (texts, token) == ([f"apple {n}" for n in range(4, -1, -1)], "")


async def test_summaries_and_what_was_missing_are_passed_on(client: Client, mesh: Mesh) -> None:
    mesh.hub.past(ADA.id, "apple")
    mesh.hub.summaries.append(SummaryResult(summary=ConversationSummary(summary="Of apples.")))
    missing = Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="milvus")
    mesh.hub.missing.append(missing)
    await client.send(search={"query": "apple"})
    page = (await client.expect("result"))["result"]["search"]
    assert page["summaries"][0]["summary"]["summary"] == "Of apples."
    assert page["degradations"] == [{"feature": "FEATURE_SEMANTIC_RECALL", "cause": "milvus"}]


async def test_nothing_is_found_for_nothing(client: Client) -> None:
    """An empty page, not an error."""
    for query in ("", "   ", "never said"):
        await client.send(search={"query": query})
        assert (await client.expect("result"))["result"]["search"] == {}


async def test_conversations_of_others_are_not_searched(
    client: Client, gateway: Gateway, mesh: Mesh
) -> None:
    """Asked for by its id, it is not there."""
    bobs = mesh.hub.past(BOB.id, "a zeppelin of mine")
    await client.send(search={"query": "zeppelin"})
    assert (await client.expect("result"))["result"]["search"] == {}
    frame_id = await client.send(search={"query": "x", "filter": {"conversationId": bobs}})
    error = await client.refused()
    assert (error["id"], error["reason"]) == (frame_id, "REASON_CONVERSATION_NOT_FOUND")
    async with connected(gateway.url, mesh.identity.token(BOB)) as bob:
        await bob.send(search={"query": "zeppelin", "filter": {"conversationId": bobs}})
        assert (await bob.expect("result"))["result"]["search"]["results"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"query": "x" * 2001}, "search.query"),
        ({"query": "a\0b"}, "search.query"),
        ({"query": ["x"]}, "search.query"),
        ({"query": "x", "filter": {"conversationId": "nonsense"}}, "search.filter.conversation_id"),
        ({"query": "x", "pageSize": -1}, "search.page_size"),
    ],
)
async def test_a_wrong_search_names_its_field(
    client: Client, mesh: Mesh, asked: dict[str, object], field: str
) -> None:
    """The hub never sees it, and the socket goes on."""
    frame_id = await client.send(search=asked)
    error = await client.refused()
    assert (error["id"], error["type"]) == (frame_id, "ERROR_TYPE_VALIDATION")
    assert error["violations"][0]["field"] == field
    assert mesh.hub.searches == []
    await client.send(search={"query": "x"})
    assert await client.expect("result")


async def test_a_search_that_fails_says_why(client: Client) -> None:
    """As the hub does, under the id of the request."""
    frame_id = await client.send(search={"query": "down"})
    error = await client.refused()
    assert (error["id"], error["retryable"]) == (frame_id, True)
    assert error["reason"] == "REASON_STORE_UNAVAILABLE"
