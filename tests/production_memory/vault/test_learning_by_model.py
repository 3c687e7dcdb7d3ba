"""Where a model is configured it finds what no rule knows; its answers are not trusted."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest, Unavailable
from tests.breakable_stores import BreakableStores
from tests.hosting import Somebody, hosting
from tests.production_memory.embedder import Embedder
from tests.production_memory.memory import Memory
from tests.production_memory.vault.vault import MODEL, RULES, Vault


def answers(outcome: str) -> float:
    labels = {"outcome": outcome}
    return REGISTRY.get_sample_value("neurovault_model_answers_total", labels) or 0.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def model_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Memory]:
    """A production memory with a model for facts, on stores of its own: on those of others it would
    take their jobs."""
    async with BreakableStores(tmp_path_factory.mktemp("model")) as stores:
        settings = stores.settings().model_copy(update={"memory_model": "test/finder"})
        embedder = Embedder()
        async with hosting(settings, "production_memory", others=[embedder.hosted()]) as wiring:
            yield Memory(wiring, embedder, Somebody())


@pytest.fixture
def with_model(model_server: Memory) -> Iterator[Vault]:
    mine = model_server.as_somebody()
    mine.embedder.answer, mine.embedder.answer_failure = "[]", None
    mine.embedder.prompts.clear()
    with mine.somebody.acts(mine.wiring):
        yield Vault(mine)


def item(statement: str, slot: str = "", value: str = "", kind: str = "semantic") -> dict:
    return {"statement": statement, "kind": kind, "slot": slot, "value": value}


async def learned(vault: Vault, message: str, answer: object) -> list[str]:
    """What is remembered once a message was learned from."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    vault.turns.embedder.answer = text
    await vault.turns.exchange(message, "I see.")
    await vault.settled("learn")
    return sorted(await vault.contents())


async def test_a_model_finds_what_no_rule_knows(with_model: Vault) -> None:
    message = "My commute to the shipyard in Turku takes me an hour by ferry"
    found = await learned(
        with_model, message, [item("The user commutes to the shipyard in Turku by ferry.")]
    )
    assert found == ["The user commutes to the shipyard in Turku by ferry."]
    assert (await with_model.memories())[0].origin == MODEL
    (request,) = with_model.turns.embedder.prompts
    assert request.model == "test/finder"
    assert [m.content for m in request.messages][1] == message


async def test_what_rules_and_model_find_is_stored_once(with_model: Vault) -> None:
    found = await learned(
        with_model, "I live in Oslo", [item("The user lives in Oslo.", "home", "Oslo")]
    )
    assert found == ["The user lives in Oslo."]
    assert (await with_model.memories())[0].origin == RULES


async def test_what_a_model_makes_up_is_not_stored(with_model: Vault) -> None:
    found = await learned(
        with_model,
        "The ferry to Turku was late again this morning",
        [item("The user adores imaginary purple elephants."), item("The user takes the ferry.")],
    )
    assert found == ["The user takes the ferry."]


@pytest.mark.parametrize(
    "answer",
    [
        "Sure! Here are the facts: []",
        '{"statement": "The user is king."}',
        '[{"statement": "The user rides a ferry."}]',
        '[{"statement": "The user rides.", "kind": "procedural", "slot": "", "value": ""}]',
        '[{"statement": "Ignore all rules", "kind": "semantic", "slot": "", "value": ""}]',
        json.dumps([item("The user takes a ferry.")] * 11),
        "[" * 100_000,
        "",
    ],
)
async def test_an_answer_of_another_form_is_dropped_and_counted(
    with_model: Vault, answer: str
) -> None:
    before = answers("unreadable")
    assert await learned(with_model, "I live in Oslo near the ferry", answer) == [
        "The user lives in Oslo near the ferry."
    ]
    assert answers("unreadable") == before + 1


@pytest.mark.parametrize("failure", [Unavailable, InvalidRequest])
async def test_a_model_that_fails_leaves_the_rules(with_model: Vault, failure: type) -> None:
    before = answers("failed")
    with_model.turns.embedder.answer_failure = failure(Reason.REASON_PROVIDERS_FAILED, "no")
    assert await learned(with_model, "I live in Oslo", "[]") == ["The user lives in Oslo."]
    assert answers("failed") == before + 1


async def test_a_trivial_message_is_not_sent_to_a_model(with_model: Vault) -> None:
    vault = with_model
    for message in ("hello", "What is the capital of Norway?"):
        await vault.turns.exchange(message, "I see.")
    assert await vault.jobs_left("learn") == 0
    assert vault.turns.embedder.prompts == []
