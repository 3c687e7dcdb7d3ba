"""The self reflector over real turns with manifests, by rules and by a scripted model."""

from typing import Any

import pytest

from kari.conversation_models.v1.context_pb2 import (
    ContextCandidate,
    ContextManifest,
    ContextSource,
    ContextVerdict,
)
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.errors.v1.errors_pb2 import Reason
from tests.capsules.built_in.desk import SMALL, Desk
from tests.upstream.script import Script

KEPT, CUT = ContextVerdict.CONTEXT_VERDICT_KEPT, ContextVerdict.CONTEXT_VERDICT_CUT_BUDGET
CURRENT, PINNED = ContextSource.CONTEXT_SOURCE_CURRENT, ContextSource.CONTEXT_SOURCE_PINNED
QUESTION = "My train to Vienna leaves at 14:30. What do I need?"
TRUE, FALSE = "Your train to Vienna leaves at 14:30.", "Your train to Salzburg leaves at 15:45."


def manifest(*more: ContextCandidate, **fields: Any) -> ContextManifest:
    current = ContextCandidate(source=CURRENT, verdict=KEPT, place=1)
    return ContextManifest(candidates=[current, *more], instructions="Be brief.", **fields)


def found(result: Any) -> list[tuple[str, str]]:
    return [(each["kind"], each["severity"]) for each in result["findings"]]


async def test_made_up_claims_are_found_by_rules(desk: Desk) -> None:
    await desk.choose(SMALL)
    _, answer_id = await desk.exchange(QUESTION, f"{TRUE} {FALSE}", manifest())
    result = await desk.here("self_reflector", {"answers": 1})
    assert found(result) == [("unsupported_claim", "high")]
    (finding,) = result["findings"]
    assert (finding["message_id"], finding["claim"]) == (answer_id, FALSE)
    assert finding["evidence"] == "nowhere in the prompt: 15:45, salzburg"
    assert result["counts"] == {"high": 1, "medium": 0, "low": 0}
    assert result["reviewed"][0]["way"] == "rules"
    assert any("no capable model" in each for each in result["limits"])


async def test_a_capable_model_judges_with_quotes(desk: Desk) -> None:
    """The first verdict has its proof; the second one has none, and the rules decide."""
    await desk.exchange(QUESTION, f"{TRUE} {FALSE}", manifest())
    verdicts = [
        {"claim": 1, "verdict": "supported", "quote": "My train to Vienna leaves at 14:30"},
        {"claim": 2, "verdict": "supported", "quote": "Your train to Salzburg leaves at 15:45"},
    ]
    desk.model_says({"claims": verdicts, "pins": []})
    result = await desk.here("self_reflector", {"answers": 1})
    assert result["reviewed"][0]["way"] == "model"
    assert result["reviewed"][0]["ungrounded_verdicts"] == 1
    assert [each["claim"] for each in result["findings"]] == [FALSE]
    told = desk.asked(0)
    assert [each["text"] for each in told["claims"]] == [TRUE, FALSE]
    assert [each["text"] for each in told["prompt"]] == ["Be brief.", QUESTION]


async def test_a_contradiction_of_the_prompt_is_the_most_severe(desk: Desk) -> None:
    await desk.exchange(QUESTION, "The train leaves at noon from there.", manifest())
    verdict = {"claim": 1, "verdict": "contradicted", "quote": "train to Vienna leaves at 14:30"}
    desk.model_says({"claims": [verdict], "pins": []})
    result = await desk.here("self_reflector", {"answers": 1})
    assert found(result) == [("contradicts_prompt", "high")]
    assert "train to Vienna leaves at 14:30" in result["findings"][0]["evidence"]


@pytest.mark.parametrize(
    "answer",
    ["All of it is fine.", '{"claims": []}', '{"claims": [{"claim": 1}]}', Script(status=503)],
)
async def test_a_model_that_does_not_judge_leaves_it_to_the_rules(desk: Desk, answer: Any) -> None:
    await desk.exchange(QUESTION, FALSE, manifest())
    desk.model_says(answer)
    finished = await desk.run("self_reflector", conversation_id=desk.conversation_id)
    assert finished.success
    assert any("by rules alone" in each.message for each in finished.warnings)


async def test_pins_that_were_cut_or_ignored_are_found(desk: Desk) -> None:
    await desk.choose(SMALL)
    pin, _ = await desk.exchange("For dinner only a vegan restaurant", "Noted.", manifest())
    lost, _ = await desk.exchange("Always answer in French", "Noted.", manifest())
    seen = ContextCandidate(source=PINNED, verdict=KEPT, message_id=pin, place=2)
    cut = ContextCandidate(source=PINNED, verdict=CUT, message_id=lost)
    await desk.exchange(
        "Which restaurant for dinner?", "Try the steak house.", manifest(seen, cut, pins_left_out=1)
    )
    result = await desk.here("self_reflector", {"answers": 1})
    kinds = dict(found(result))
    assert (kinds["pin_cut"], kinds["pin_ignored"]) == ("high", "low")
    assert len([kind for kind in kinds if kind == "pin_cut"]) == 1
    assert lost in result["findings"][0]["evidence"]


async def test_contradictions_with_earlier_answers_and_missing_features_are_found(
    desk: Desk,
) -> None:
    await desk.choose(SMALL)
    _, earlier = await desk.exchange("Price?", "The ticket costs 20 euros.", manifest())
    missing = [Degradation(feature=Feature.FEATURE_VAULT, cause="milvus")]
    await desk.exchange("Price?", "The ticket costs 25 euros.", manifest(), degradations=missing)
    result = await desk.here("self_reflector", {"answers": 1})
    kinds = {each["kind"]: each for each in result["findings"]}
    assert earlier in kinds["contradicts_earlier_answer"]["evidence"]
    assert "vault" in kinds["degraded"]["evidence"]


async def test_what_cannot_be_read_again_is_counted(desk: Desk) -> None:
    await desk.choose(SMALL)
    gone = ContextCandidate(
        source=ContextSource.CONTEXT_SOURCE_VAULT, verdict=KEPT, memory_id="mem_gone", place=2
    )
    await desk.exchange(QUESTION, FALSE, manifest(gone))
    result = await desk.here("self_reflector")
    assert result["reviewed"][0]["unread_parts"] == 1
    assert found(result) == [("unsupported_claim", "medium")]


async def test_answers_without_a_manifest_are_said_to_have_none(desk: Desk) -> None:
    await desk.choose(SMALL)
    await desk.exchange(QUESTION, FALSE)
    result = await desk.here("self_reflector")
    assert result["reviewed"][0]["has_manifest"] is False
    assert result["findings"] == []


async def test_an_empty_conversation_and_none_have_nothing_to_review(desk: Desk) -> None:
    assert (await desk.here("self_reflector"))["status"] == "nothing_to_review"
    assert (await desk.result("self_reflector"))["status"] == "nothing_to_review"


@pytest.mark.parametrize("given", [{"answers": 0}, {"answers": 11}, {"answers": "all"}, {"x": 1}])
async def test_a_wrong_input_is_refused(desk: Desk, given: dict[str, Any]) -> None:
    assert (await desk.error("self_reflector", given)).reason == Reason.REASON_TOOL_ARGUMENTS
