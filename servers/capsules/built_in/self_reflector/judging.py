"""A capable model's judgement of an answer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from servers.capsules.asking import strictly
from servers.capsules.skill import Skill, SkillError
from servers.capsules.strict_answers import NotOfTheForm

from .reviewing import Review
from .support import Support
from .verdicts import FEWEST_WORDS, PinVerdict, Verdicts, complete, grounded, shown


@dataclass(frozen=True)
class Judgement:
    """What the claims rest on, and the verdicts on pins. `ungrounded` verdicts were thrown away:
    the words decide there."""

    supports: Sequence[Support]
    pins: Sequence[PinVerdict]
    ungrounded: int


async def judged(skill: Skill, review: Review) -> Judgement | None:
    """The model's judgement; None, and a warning, if it gives none that can be used."""
    asked = json.dumps(
        {
            "question": review.answer.question,
            "claims": _numbered("claim", [claim.text for claim in review.claims]),
            "pins": _numbered("pin", [pin.text for pin in review.seen_pins]),
            "prompt": shown(review.held, review.seen_pins),
        },
        ensure_ascii=False,
    )
    try:
        verdicts = await strictly(
            skill,
            Verdicts,
            asked,
            system=skill.render("verdicts", words=FEWEST_WORDS),
            check=complete(len(review.claims), len(review.seen_pins)),
        )
    except NotOfTheForm as wrong:
        why = f"its verdicts are not of the form: {wrong}"
    except SkillError as error:
        why = error.message
    else:
        return _judgement(review, verdicts)
    skill.warn(f"answer {review.answer.message_id} is reviewed by rules alone: {why}")
    return None


def _judgement(review: Review, verdicts: Verdicts) -> Judgement:
    supports, ungrounded = list[Support](), 0
    given = sorted(verdicts.claims, key=lambda each: each.claim)
    for verdict, claim, by_rule in zip(given, review.claims, review.supports, strict=True):
        support = grounded(verdict, claim, review.held, by_rule)
        ungrounded += support is None
        supports.append(by_rule if support is None else support)
    return Judgement(supports, verdicts.pins, ungrounded)


def _numbered(name: str, texts: Sequence[str]) -> list[dict[str, object]]:
    return [{name: number, "text": text} for number, text in enumerate(texts, start=1)]
