"""The review of one answer. Pure.

Severities: what speaks of the user or of what was said and rests on nothing is high (a number or
name that is nowhere) or medium; any other made-up number or name is medium, any other claim low. A
cut pin is high, one that seems ignored low by words and medium by a model's verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .claims import Claim, claims_of
from .earlier import Earlier
from .findings import Answer, Finding, of_pin, of_support
from .material import Material, material
from .pins import Pin, left_out, pins_of, seems_ignored
from .support import Judge, Support
from .verdicts import PinVerdict


@dataclass(frozen=True)
class Review:
    """An answer with its manifest and the texts that can be read again."""

    answer: Answer
    manifest: Mapping[str, Any]
    texts: Mapping[str, str]

    @cached_property
    def held(self) -> Material:
        """What the prompt held."""
        return material(self.manifest, self.texts)

    @property
    def unread(self) -> int:
        """Parts of the prompt that cannot be read again, results of tools among them."""
        return self.held.unread + self.answer.tools

    @cached_property
    def claims(self) -> Sequence[Claim]:
        """What the answer claims."""
        return claims_of(self.answer.text)

    @cached_property
    def pins(self) -> Sequence[Pin]:
        """The pinned messages."""
        return pins_of(self.manifest, self.texts)

    @cached_property
    def seen_pins(self) -> Sequence[Pin]:
        """Those that the model saw and that can be read again."""
        return [pin for pin in self.pins if not pin.cut and pin.text]

    @cached_property
    def supports(self) -> Sequence[Support]:
        """What the claims rest on, by their words."""
        judge = Judge(self.held)
        return [judge.support(claim) for claim in self.claims]


def by_rules(review: Review) -> list[Finding]:
    """What can be told without anybody's judgement: of pins and of what was missing."""
    answer, found = review.answer, [of_pin(review.answer, pin) for pin in review.pins]
    if more := left_out(review.manifest, review.pins):
        found.append(
            answer.finding(
                "pin_cut",
                "high",
                f"{more} pinned messages were not in the prompt",
                "unpin what is not needed any more, or choose a model with a larger context",
            )
        )
    found += [
        answer.finding(
            "degraded",
            "medium",
            f"missing while it was written: {each.get('feature')}, for want of {each.get('cause')}",
            "ask again: the answer may be better now",
        )
        for each in review.manifest.get("degradations", ())
    ]
    return [each for each in found if each is not None]


def of_claims(review: Review, supports: Sequence[Support]) -> list[Finding]:
    """What is wrong with the claims."""
    found = (
        of_support(review.answer, claim, support, review.unread)
        for claim, support in zip(review.claims, supports, strict=True)
    )
    return [each for each in found if each is not None]


def ignored_pins(review: Review, verdicts: Sequence[PinVerdict] | None) -> list[Finding]:
    """Pins that the model saw and ignored: by its verdicts if there are any, else by words."""
    if verdicts is None:
        ignored = [
            (pin, "it is about the question, and the answer has none of its words", "low")
            for pin in review.seen_pins
            if seems_ignored(pin, review.answer.question, review.answer.text)
        ]
    else:
        ignored = [
            (review.seen_pins[each.pin - 1], each.reason or "judged by the model", "medium")
            for each in verdicts
            if each.verdict == "ignored"
        ]
    return [
        review.answer.finding(
            "pin_ignored",
            severity,
            f'pinned message {pin.id}: "{pin.text[:200]}"; {reason}',
            "ask again and name the pinned message",
        )
        for pin, reason, severity in ignored
    ]


def contradictions(review: Review, earlier: Earlier) -> list[Finding]:
    """Claims that cannot be right beside those of earlier answers."""
    found = list[Finding]()
    for claim in review.claims:
        conflict = earlier.conflict(claim, review.answer.message_id)
        if conflict is not None:
            found.append(
                review.answer.finding(
                    "contradicts_earlier_answer",
                    "medium",
                    f'{conflict.message_id} says: "{conflict.claim.text}" ({conflict.reason})',
                    "tell the user which of the two holds",
                    claim.text,
                )
            )
    return found
