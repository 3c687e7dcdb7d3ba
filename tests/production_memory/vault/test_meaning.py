"""With the real embedder: what was said in one conversation is found by what another one asks."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.breakable_stores import BreakableStores
from tests.hosting import Somebody, hosting
from tests.production_memory.calling import ended, record, step
from tests.production_memory.embedder import Embedder
from tests.production_memory.memory import Memory
from tests.production_memory.vault.vault import DUPLICATE, STORED, Vault

SAID = (
    "Hi, my name is Ada Lovelace and I live in Oslo.",
    "I work at the harbour museum. I'm allergic to peanuts.",
    "I have a dog named Rex. My favourite colour is blue.",
    "I'm planning to visit Rome in May. I really like green tea.",
    "I speak Norwegian. My wife is called Eva.",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Memory]:
    async with BreakableStores(tmp_path_factory.mktemp("meaning")) as stores:
        settings = stores.settings()
        async with hosting(settings, "production_memory", "model_factory") as wiring:
            yield Memory(wiring, Embedder(), Somebody())


@pytest.fixture
def real(server: Memory) -> Iterator[Vault]:
    with (mine := server.as_somebody()).somebody.acts(mine.wiring):
        yield Vault(mine)


async def test_what_was_said_is_found_by_what_is_asked(real: Vault) -> None:
    """Among the first two of ten facts, by its words and by its meaning."""
    for message in SAID:
        await real.turns.exchange(message, "I see.")
    await real.indexed(*(await real.learned(10)))
    for question, part in (
        ("What is my name?", "Ada Lovelace"),
        ("Where do I live?", "Oslo"),
        ("Can I eat this peanut cookie?", "peanuts"),
        ("What is my dog called?", "Rex"),
        ("Which colour do I like most?", "blue"),
        ("What are my travel plans?", "Rome"),
        ("What shall I drink, tea or coffee?", "green tea"),
        ("Which languages do I speak?", "Norwegian"),
    ):
        found = [each.memory.content for each in await real.recall(question, limit=10)]
        by_similarity = sorted(
            await real.recall(question, limit=10), key=lambda each: -each.similarity
        )
        assert len(found) == 10
        assert any(part in each.memory.content for each in by_similarity[:2]), question


async def test_the_same_in_other_words_is_known_and_what_differs_is_not(real: Vault) -> None:
    for first, other, outcome in (
        ("The staging host is Atlas", "Our staging host is Atlas", DUPLICATE),
        ("Deploys go out on Tuesdays", "Deployments go out on Tuesdays", DUPLICATE),
        ("The archive is read only", "The archive is not read only", STORED),
        ("Visit Rome in May", "Visit Rome in June", STORED),
        ("Meetings begin at 10:00", "Meetings begin at 11:00", STORED),
        ("Ship tea before coffee", "Ship coffee before tea", STORED),
    ):
        await real.remember(first)
        await real.indexed(*(await real.memories()))
        assert (await real.remember(other)).outcome == outcome, other
        await real.indexed(*(await real.memories()))


async def test_what_worked_is_recalled_for_the_next_question_of_its_kind(real: Vault) -> None:
    """In other words it is the same case; with the same tools, another question is another one."""
    rate, news = "What is the current exchange rate of the euro?", "Find news of the harbour strike"
    for question in (rate, news):
        await searched(real, question)
    found = await real.learned(2)
    await real.indexed(*found)
    by_question = {next(q for q in (rate, news) if q in m.content): m for m in found}
    for question, about in (
        ("what's the euro exchange rate right now?", rate),
        ("Any news on the strike at the harbour?", news),
    ):
        for recalled in (await real.procedures(question), await real.recall(question)):
            assert recalled[0].memory == by_question[about]
            assert recalled[0].similarity > 0.5
        await searched(real, question)
    await real.settled("procedures")
    assert {m.id for m in await real.memories(include_past=True)} == {m.id for m in found}


async def searched(real: Vault, question: str) -> None:
    """A turn that was answered with two tools."""
    turn_id = (await real.turns.begin(question)).led_turn.turn.id
    calls = [step("web_search", arguments={"query": question}), step("http_fetch", round=2)]
    await record(real.turns, turn_id, *map(ended, calls))
    await real.turns.finish(turn_id, "Here it is.")
