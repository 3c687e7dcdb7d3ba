"""The last answers, reviewed against what their prompts held."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from servers.capsules.skill import Skill, SkillError

from .claims import claims_of
from .earlier import Earlier
from .findings import SEVERITIES, Answer, Finding, in_order
from .judging import Judgement, judged
from .material import texts_of
from .reviewing import Review, by_rules, contradictions, ignored_pins, of_claims

ANSWERS = 3
LOOKED_AT = 100
"""Messages of the conversation: earlier answers among them are compared with the last ones."""
RECALLED = 30
"""Memories that are looked at for what a prompt held."""


async def run(skill: Skill) -> Mapping[str, object]:
    """The findings about the last answers, the most severe first."""
    history = await skill.history(LOOKED_AT)
    answers = _answers(history)
    last = answers[-skill.input.get("answers", ANSWERS) :]
    # Conversations may be long, and others share the process.
    earlier = await asyncio.to_thread(_earlier, answers)
    capable = (await skill.model()).capable
    reviewed, found = list[dict[str, object]](), list[Finding]()
    for number, answer in enumerate(last, start=1):
        await skill.progress(f"reviewing answer {number} of {len(last)}", (number - 1) / len(last))
        told, findings = await _reviewed(skill, answer, history, earlier, capable=capable)
        reviewed.append(told)
        found += findings
    skill.measure("findings", len(found))
    return {
        "status": "reviewed" if last else "nothing_to_review",
        "reviewed": reviewed,
        "findings": [each.as_json() for each in in_order(found)],
        "counts": {name: sum(f.severity == name for f in found) for name in SEVERITIES},
        "limits": _limits(capable),
    }


async def _reviewed(
    skill: Skill,
    answer: Answer,
    history: Sequence[Mapping[str, Any]],
    earlier: Earlier,
    *,
    capable: bool,
) -> tuple[dict[str, object], list[Finding]]:
    """What is told of one answer, and the findings about it."""
    manifest = await skill.manifest(answer.turn_id) if answer.turn_id else {}
    review = Review(answer, manifest, texts_of(await _recalled(skill, answer), history))
    judgement = None
    if capable and manifest and (review.claims or review.seen_pins):
        judgement = await judged(skill, review)
    findings = await asyncio.to_thread(_found, review, judgement, earlier)
    told: dict[str, object] = {
        "message_id": answer.message_id,
        "turn_id": answer.turn_id,
        "way": "rules" if judgement is None else "model",
        "claims": len(review.claims),
        "has_manifest": bool(manifest),
        "unread_parts": review.unread,
        "ungrounded_verdicts": 0 if judgement is None else judgement.ungrounded,
    }
    return told, findings


def _found(review: Review, judgement: Judgement | None, earlier: Earlier) -> list[Finding]:
    findings = contradictions(review, earlier)
    if review.manifest:
        supports = review.supports if judgement is None else judgement.supports
        findings += by_rules(review) + of_claims(review, supports)
        findings += ignored_pins(review, None if judgement is None else judgement.pins)
    return findings


async def _recalled(skill: Skill, answer: Answer) -> list[dict[str, Any]]:
    """What is remembered for the question: its prompt may have held it."""
    if not answer.question:
        return []
    try:
        return await skill.recall(answer.question[:2000], limit=RECALLED)
    except SkillError as error:
        skill.warn(f"memories could not be read again: {error.message}")
        return []


def _answers(history: Sequence[Mapping[str, Any]]) -> list[Answer]:
    """The answers of the conversation, each with what was asked."""
    answers, question = list[Answer](), ""
    for each in history:
        if each["role"] == "user":
            question = each["content"]
        elif each["role"] == "assistant" and each["content"].strip():
            tools = len(each["tools_called"])
            answers.append(Answer(each["id"], each["turn_id"], each["content"], question, tools))
    return answers


def _earlier(answers: Sequence[Answer]) -> Earlier:
    return Earlier((each.message_id, claim) for each in answers for claim in claims_of(each.text))


def _limits(capable: bool) -> list[str]:
    """What the review cannot tell."""
    limits = [
        "a claim without support in the prompt may still be true: models know things by themselves",
        "results of tools are not in the manifest: of claims that may rest on them it is said",
    ]
    if not capable:
        limits.append(
            "no capable model was chosen here: claims were compared by their words alone, which "
            "sees made-up numbers and names, and misses what is said in other words"
        )
    return limits
