"""What worked is remembered: completed turns that used tools propose procedures."""

import pytest

from kari.conversation_models.v1.tool_pb2 import ToolStep
from servers.production_memory.vault.memory_jobs import ProcedureJob
from tests.production_memory.calling import asked, asking, ended, failed, record, step
from tests.production_memory.memory import CANCELLED, COMPLETED, FAILED
from tests.production_memory.vault.vault import PROCEDURAL, RULES, Vault

QUESTION = "What is the exchange rate of the euro?"
STATEMENT = f'"{QUESTION}" was answered with web_search(query), then http_fetch(url).'


def searched() -> list[ToolStep]:
    """Two calls that did what they were asked."""
    return [
        ended(step("web_search", arguments={"query": "eur usd secret-argument"})),
        ended(step("http_fetch", arguments={"url": "https://rates.example/eur"}, round=2)),
    ]


async def answered(vault: Vault, question: str, *steps: ToolStep, state: int = COMPLETED) -> str:
    """The id of a turn that used these calls."""
    turn_id = (await vault.turns.begin(question)).led_turn.turn.id
    await record(vault.turns, turn_id, *steps)
    await vault.turns.finish(turn_id, "So it is.", state=state)
    return turn_id


async def test_two_calls_that_worked_are_a_procedure(vault: Vault) -> None:
    turn_id = await answered(vault, QUESTION, *searched())
    (procedure,) = await vault.learned(1)
    assert procedure.content == STATEMENT
    assert (procedure.kind, procedure.origin) == (PROCEDURAL, RULES)
    turn = (await vault.turns.turn(turn_id)).turn
    assert list(procedure.evidence_message_ids) == [turn.user_message_id]
    await vault.indexed(procedure)


async def test_the_next_question_of_its_kind_recalls_it(vault: Vault) -> None:
    await answered(vault, QUESTION, *searched())
    (procedure,) = await vault.learned(1)
    await vault.indexed(procedure)
    query = "euro exchange rate, please"
    vault.turns.embedder.similar[query] = (procedure.content, 0.6)
    assert [each.memory for each in await vault.procedures(query)] == [procedure]
    assert [each.memory for each in await vault.recall(query)] == [procedure]


async def test_a_capsule_is_a_procedure_by_itself(vault: Vault) -> None:
    capsule = step("capsule.web_researcher", arguments={"question": "?", "depth": 2})
    await answered(vault, "Research the harbour", ended(capsule))
    (procedure,) = await vault.learned(1)
    assert "capsule.web_researcher(depth, question)" in procedure.content


@pytest.mark.parametrize(
    "steps",
    [
        [ended(step("calculator"))],
        [ended(step("web_search")), failed(step("http_fetch"))],
        [failed(step("capsule.web_researcher"))],
        [ended(step("web_search")), step("http_fetch")],
        [],
    ],
)
async def test_one_call_or_what_failed_is_none(vault: Vault, steps: list[ToolStep]) -> None:
    turn_id = (await vault.turns.begin(QUESTION)).led_turn.turn.id
    if steps:
        await record(vault.turns, turn_id, *steps)
    await vault.turns.finish(turn_id, "So it is.")
    assert await vault.jobs_left("procedures") == 0


@pytest.mark.parametrize("state", [FAILED, CANCELLED])
async def test_a_turn_that_did_not_complete_proposes_none(vault: Vault, state: int) -> None:
    await answered(vault, QUESTION, *searched(), state=state)
    assert await vault.jobs_left("procedures") == 0


async def test_a_turn_that_was_called_off_while_it_asked_proposes_none(vault: Vault) -> None:
    question = asked(text_before="I found it, and now I mail it.")
    turn_id = await asking(vault.turns, *searched(), question)
    await vault.turns.cancel(turn_id)
    assert await vault.jobs_left("procedures") == 0


async def test_calls_that_failed_are_left_out(vault: Vault) -> None:
    first, second = searched()
    await answered(vault, QUESTION, failed(step("calculator")), first, failed(step()), second)
    assert [m.content for m in await vault.learned(1)] == [STATEMENT]


async def test_doing_the_same_again_restates_it(vault: Vault) -> None:
    """Other numbers make no other question, and more of the same calls no other sequence."""
    await answered(vault, "How far are 12 miles in km?", *searched())
    (procedure,) = await vault.learned(1)
    await vault.age(procedure, 100)
    first, second = searched()
    third = ended(step("http_fetch", arguments={"url": "another"}, round=3))
    await answered(vault, "how far are 9 miles in km", first, second, third)
    await vault.settled("procedures")
    (restated,) = await vault.memories(include_past=True)
    assert restated.content == procedure.content
    await vault.indexed(restated)
    vault.turns.embedder.similar["miles"] = (restated.content, 0.9)
    (found,) = await vault.recall("miles")
    assert found.relevance > 5.0


async def test_the_same_question_in_other_words_restates_it(vault: Vault) -> None:
    await answered(vault, QUESTION, *searched())
    (procedure,) = await vault.learned(1)
    await vault.indexed(procedure)
    other, farther = "And the euro today?", "Who won the match?"
    for question, cosine in ((other, 0.9), (farther, 0.6)):
        statement = STATEMENT.replace(QUESTION, question)
        vault.turns.embedder.similar[statement] = (procedure.content, cosine)
    await answered(vault, other, *searched())
    await vault.settled("procedures")
    assert await vault.contents() == [STATEMENT]
    await answered(vault, farther, *searched())
    assert len(await vault.learned(2)) == 2


async def test_another_way_that_worked_contradicts_nothing(vault: Vault) -> None:
    await answered(vault, QUESTION, *searched())
    await vault.learned(1)
    for _ in range(2):
        await answered(vault, QUESTION, searched()[1], ended(step("clock", round=2)))
        await answered(vault, QUESTION, *searched())
    await vault.learned(2)
    await vault.settled("procedures")
    assert len(await vault.contents(include_past=True)) == 2
    assert len(await vault.contents()) == 2


async def test_personal_data_and_arguments_are_not_in_it(vault: Vault) -> None:
    await answered(vault, 'Mail "hi" to bo@example.org\nplease', *searched())
    (procedure,) = await vault.learned(1)
    said = "\"Mail 'hi' to [email] please\" was answered with web_search(query)"
    assert procedure.content.startswith(said)
    assert "secret" not in str(procedure)
    assert "bo@" not in str(procedure)


async def test_a_procedure_that_was_forgotten_is_not_proposed_again(vault: Vault) -> None:
    """Its job is taken again when its worker died before it could say that it was done."""
    turn_id = await answered(vault, QUESTION, *searched())
    (procedure,) = await vault.learned(1)
    await vault.forget(procedure)
    connection = await vault.turns.connect()
    await connection.execute(
        "INSERT INTO pgqueuer (priority, entrypoint, payload, status, heartbeat)"
        " VALUES (0, 'procedures', $1, 'picked', now() - interval '1 hour')",
        ProcedureJob(vault.somebody.tenant_id, turn_id).payload(),
    )
    await connection.close()
    await vault.turns.exchange("wakes", "the worker")
    await vault.settled("procedures")
    assert await vault.memories(include_past=True) == []


async def test_a_procedure_is_its_users_own(vault: Vault) -> None:
    await answered(vault, QUESTION, *searched())
    await vault.indexed(*(await vault.learned(1)))
    with vault.colleague():
        assert await vault.procedures(QUESTION) == []
