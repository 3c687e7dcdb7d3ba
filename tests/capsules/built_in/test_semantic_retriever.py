"""The semantic retriever over real memory and real search."""

from typing import Any

import pytest

from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import RememberRequest
from servers.runtime.ids import new_id
from tests.capsules.built_in.desk import Desk
from tests.hosting import until
from tests.production_memory.vectors import vectors_of

SAID = (
    ("My sister Clara moved to Lisbon last spring.", "How nice for her!"),
    ("The boiler in the cellar makes a strange noise.", "Have it looked at."),
    ("What rhymes with orange?", "Hardly anything."),
)


async def prepared(desk: Desk) -> None:
    """A conversation and a memory, found by meaning."""
    for question, answer in SAID:
        await desk.exchange(question, answer)
    with desk.somebody.acts(desk.wiring):
        await desk.memory.stub.Remember(
            RememberRequest(request_id=new_id("req"), content="Clara is allergic to cats.")
        )

    async def indexed() -> bool:
        return len(await vectors_of(desk.wiring.settings, desk.somebody.tenant_id)) >= 6

    await until(indexed)


async def test_memory_and_messages_are_found_merged_and_explained(desk: Desk) -> None:
    await prepared(desk)
    asked = {"query": "Where does my sister Clara live?"}

    async def remembered() -> Any:
        result = await desk.here("semantic_retriever", asked)
        return result if any(each["source"] == "vault" for each in result["hits"]) else None

    # A memory is found once its vector is there.
    result = await until(remembered)
    first, *rest = result["hits"]
    assert first["content"] == "My sister Clara moved to Lisbon last spring."
    assert "place 1 in" in first["why"]
    assert "(clara, sister)" in first["why"]
    (known,) = [each for each in rest if each["content"] == "Clara is allergic to cats."]
    assert (known["source"], known["found_in"]) == ("vault", ["memory"])
    assert len({each["content"] for each in result["hits"]}) == len(result["hits"])
    assert [each["place"] for each in result["hits"]] == list(range(1, len(rest) + 2))
    again = await desk.here("semantic_retriever", asked)
    assert [each["id"] for each in again["hits"]] == [each["id"] for each in result["hits"]]


async def test_only_the_wished_source_is_asked_and_no_more_given_than_wished(desk: Desk) -> None:
    await prepared(desk)
    asked = {"query": "Clara", "sources": ["messages"], "limit": 1}
    result = await desk.here("semantic_retriever", asked)
    assert list(result["searched"]) == ["messages"]
    assert len(result["hits"]) == 1


async def test_somebody_who_said_nothing_finds_nothing(desk: Desk) -> None:
    result = await desk.here("semantic_retriever", {"query": "anything at all"})
    assert result["hits"] == []
    assert result["searched"] == {"memory": 0, "messages": 0}


async def test_others_find_nothing_of_it(desk: Desk) -> None:
    await prepared(desk)
    stranger = Desk(desk.wiring, desk.folder, upstream=desk.upstream)
    await stranger.begin()
    assert (await stranger.here("semantic_retriever", {"query": "Clara"}))["hits"] == []


async def test_without_a_conversation_messages_are_found_still(desk: Desk) -> None:
    await prepared(desk)
    result = await desk.result("semantic_retriever", {"query": "boiler noise"})
    assert result["hits"][0]["content"].startswith("The boiler")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"query": ""},
        {"query": "  "},
        {"query": "x" * 2001},
        {"query": "x", "limit": 0},
        {"query": "x", "sources": []},
        {"query": "x", "sources": ["web"]},
        {"query": "x", "more": 1},
    ],
)
async def test_a_wrong_input_is_refused(desk: Desk, given: dict[str, object]) -> None:
    assert (await desk.error("semantic_retriever", given)).reason == Reason.REASON_TOOL_ARGUMENTS
