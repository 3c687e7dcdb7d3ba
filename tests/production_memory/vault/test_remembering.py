"""What is stated is remembered once, through the write gate, and found again."""

import asyncio

import grpc
from prometheus_client import REGISTRY

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import from_rpc
from servers.runtime.ids import new_id
from tests.production_memory.memory import refusal
from tests.production_memory.vault.vault import (
    ASKED,
    DOMAIN,
    DUPLICATE,
    EDITOR,
    EPISODIC,
    REPEATS,
    REPLACED,
    SEMANTIC,
    STORED,
    TRIVIAL,
    USER,
    Vault,
)


def refusals(reason: str) -> float:
    return REGISTRY.get_sample_value("neurovault_refusals_total", {"reason": reason}) or 0.0


async def test_a_statement_is_stored_listed_found_by_id_and_gets_its_vector(vault: Vault) -> None:
    said = await vault.remember("I take sugar in my tea")
    memory = said.memory
    assert said.outcome == STORED
    assert (memory.content, memory.kind, memory.importance) == (
        "I take sugar in my tea",
        SEMANTIC,
        10,
    )
    assert (memory.origin, memory.slot, list(memory.evidence_message_ids)) == (ASKED, "", [])
    assert not memory.HasField("valid_to")
    assert await vault.memories() == [memory]
    assert await vault.get(memory.id, new_id("mem")) == [memory]
    await vault.indexed(memory)
    (row,) = (await vault.vectors()).values()
    assert (row["user_id"], row["kind"]) == (vault.somebody.user_id, "semantic")
    assert "content" not in row


async def test_kind_importance_and_evidence_are_those_of_the_request(vault: Vault) -> None:
    ended = await vault.turns.exchange("We had dinner at the harbour", "Nice.")
    memory = await vault.remembered(
        "Dinner at the harbour",
        kind=EPISODIC,
        importance=4,
        conversation_id=vault.turns.conversation_id,
        evidence_message_ids=[ended.turn.user_message_id],
    )
    assert (memory.kind, memory.importance) == (EPISODIC, 4)
    assert list(memory.evidence_message_ids) == [ended.turn.user_message_id]
    assert memory.conversation_id == vault.turns.conversation_id


async def test_evidence_of_another_conversation_is_refused(vault: Vault) -> None:
    refused = await refusal(
        vault.remember(
            "Dinner at the harbour",
            conversation_id=vault.turns.conversation_id,
            evidence_message_ids=[new_id("msg")],
        )
    )
    assert refused.reason == Reason.REASON_MESSAGE_NOT_FOUND


async def test_a_repeated_request_stores_once_and_gives_the_same_memory(vault: Vault) -> None:
    said = await asyncio.gather(
        *(vault.remember("I take sugar in my tea", request_id="r1") for _ in range(6))
    )
    assert len({each.memory.id for each in said}) == 1
    assert {each.outcome for each in said} == {STORED}
    assert len(await vault.memories()) == 1


async def test_a_request_id_is_not_used_for_another_statement(vault: Vault) -> None:
    await vault.remember("I take sugar in my tea", request_id="r1")
    refused = await refusal(vault.remember("I take milk in my tea", request_id="r1"))
    assert refused.reason == Reason.REASON_REQUEST_ID_REUSED


async def test_nor_for_one_of_the_domain_at_the_same_time(vault: Vault) -> None:
    """One of the two statements is kept, whichever comes first; the other is a conflict."""
    with vault.acts(tenant_id=vault.somebody.tenant_id, roles=EDITOR):
        said = await asyncio.gather(
            *(
                vault.remember("Green tea is pleasant", request_id="r1", scope=scope)
                for scope in (USER, DOMAIN, USER, DOMAIN)
            ),
            return_exceptions=True,
        )
    refused = [from_rpc(each) for each in said if isinstance(each, grpc.aio.AioRpcError)]
    assert [each.reason for each in refused] == [Reason.REASON_REQUEST_ID_REUSED] * 2


async def test_a_request_id_is_known_to_its_user_only(vault: Vault) -> None:
    mine = await vault.remembered("I take sugar in my tea", request_id="r1")
    with vault.colleague():
        other = await vault.remembered("I take milk in my tea", request_id="r1")
    assert mine.id != other.id


async def test_what_is_known_is_confirmed_instead_of_stored_again(vault: Vault) -> None:
    """Whatever its case and punctuation."""
    first = await vault.remembered("I take sugar in my tea")
    before = refusals("duplicate")
    again = await vault.remember("I take SUGAR in my tea!")
    assert (again.outcome, again.memory.id) == (DUPLICATE, first.id)
    assert len(await vault.memories()) == 1
    assert refusals("duplicate") == before + 1


async def test_what_says_the_same_in_other_words_is_known(vault: Vault) -> None:
    first = await vault.remembered("Deploys go out on Tuesdays")
    await vault.indexed(first)
    vault.turns.embedder.similar["Deployments go out on Tuesdays"] = (first.content, 0.97)
    vault.turns.embedder.similar["Deployments never go out on Tuesdays"] = (first.content, 0.99)
    assert (await vault.remember("Deployments go out on Tuesdays")).outcome == DUPLICATE
    assert (await vault.remember("Deployments never go out on Tuesdays")).outcome == STORED


async def test_the_newer_of_two_contradicting_statements_holds_and_both_are_kept(
    vault: Vault,
) -> None:
    old = await vault.remembered("I live in Paris")
    said = await vault.remember("I moved to Rome")
    assert (said.outcome, said.memory.slot) == (REPLACED, "home")
    assert (said.replaced.id, said.replaced.replaced_by_memory_id) == (old.id, said.memory.id)
    assert said.replaced.valid_to == said.memory.valid_from
    assert await vault.contents() == ["I moved to Rome"]
    assert await vault.contents(include_past=True) == ["I moved to Rome", "I live in Paris"]
    await vault.indexed(said.memory)


async def test_what_is_denied_holds_no_more(vault: Vault) -> None:
    await vault.remember("I live in Paris")
    assert (await vault.remember("I no longer live in Rome")).outcome == STORED
    assert (await vault.remember("I no longer live in Paris")).outcome == REPLACED
    assert await vault.contents() == ["I no longer live in Paris", "I no longer live in Rome"]
    assert (await vault.remember("I live in Oslo")).outcome == REPLACED


async def test_an_opinion_changes(vault: Vault) -> None:
    await vault.remember("I like coffee")
    assert (await vault.remember("I love coffee")).outcome == DUPLICATE
    assert (await vault.remember("I don't like coffee any more")).outcome == REPLACED
    assert await vault.contents() == ["I don't like coffee any more"]


async def test_what_says_too_little_is_not_stored(vault: Vault) -> None:
    before = refusals("trivial")
    for content in ("hello there", "ok, thanks!", "What is my name?", "%%% !!!", "aaaaaaaa", "😀"):
        said = await vault.remember(content)
        assert (said.outcome, said.HasField("memory")) == (TRIVIAL, False)
    assert await vault.memories() == []
    assert refusals("trivial") == before + 6


async def test_what_only_repeats_the_assistant_is_not_stored(vault: Vault) -> None:
    await vault.turns.exchange("Tell me of Ceres", "Ceres is the largest dwarf planet nearby.")
    asked = (await vault.turns.begin("Ceres is the largest dwarf planet")).led_turn
    evidence = {
        "conversation_id": vault.turns.conversation_id,
        "evidence_message_ids": [asked.message.id],
    }
    said = await vault.remember("Ceres is the largest dwarf planet", **evidence)
    assert (said.outcome, said.HasField("memory")) == (REPEATS, False)
    assert (await vault.remember("Vesta was seen in 1807 by Olbers", **evidence)).outcome == STORED


async def test_personal_data_is_not_stored(vault: Vault) -> None:
    memory = await vault.remembered(
        "My mail is jo@example.org, card 4111 1111 1111 1111, ssn 123-45-6789, tel +49 30 1234567"
    )
    assert memory.content == "My mail is [email], card [card], ssn [ssn], tel [phone]"


async def test_statements_of_2000_characters_other_scripts_and_quotes_are_kept(
    vault: Vault,
) -> None:
    long = ("sugar tea " * 200).strip()[:1999] + "x"
    for content in (long, "我住在巴黎,喜欢绿茶", "Я живу в Париже", '\';-- "quotes" \\ and %s $1'):
        assert (await vault.remembered(content)).content == content
    refused = await refusal(vault.remember("x y" + "z" * 1998))
    assert refused.reason == Reason.REASON_FIELD_INVALID


async def test_what_the_domain_knows_is_written_with_a_role_and_read_by_all(vault: Vault) -> None:
    refused = await refusal(vault.remember("Deploys go out on Tuesdays", scope=DOMAIN))
    assert refused.reason == Reason.REASON_ROLE_MISSING
    with vault.colleague(roles=EDITOR):
        memory = await vault.remembered("Deploys go out on Tuesdays", scope=DOMAIN)
    assert memory.scope == DOMAIN
    assert await vault.memories(scope=DOMAIN) == [memory]
    assert await vault.get(memory.id) == [memory]
    assert await vault.memories() == []
