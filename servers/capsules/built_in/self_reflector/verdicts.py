"""Verdicts of a model on claims and pins: in one form, and taken only with proof. Pure."""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec

from servers.capsules.strict_answers import NotOfTheForm
from servers.runtime.language.terms import coverage, terms

from .claims import Claim
from .material import Material
from .pins import Pin
from .support import Support

ROOM = 24_000
"""Characters of the prompt that are shown to the model: about 6,000 tokens."""
FEWEST_WORDS = 3
"""A shorter quote proves nothing."""

Text = Annotated[str, msgspec.Meta(max_length=2000)]


class ClaimVerdict(msgspec.Struct, forbid_unknown_fields=True):
    """On one claim, by its number; the quote is the place of the prompt that decides it."""

    claim: int
    verdict: Literal["supported", "unsupported", "contradicted"]
    quote: Text = ""


class PinVerdict(msgspec.Struct, forbid_unknown_fields=True):
    """On one pin, by its number."""

    pin: int
    verdict: Literal["followed", "ignored", "not_relevant"]
    reason: Text = ""


class Verdicts(msgspec.Struct, forbid_unknown_fields=True):
    """The form in which a model judges."""

    claims: list[ClaimVerdict]
    pins: list[PinVerdict] = []


def complete(claims: int, pins: int) -> Callable[[Verdicts], None]:
    """A check that each claim and each pin has one verdict; NotOfTheForm says which has not."""

    def check(given: Verdicts) -> None:
        _each_once("claims", [each.claim for each in given.claims], claims)
        _each_once("pins", [each.pin for each in given.pins], pins)

    return check


def shown(held: Material, pins: Sequence[Pin]) -> list[dict[str, object]]:
    """The parts of the prompt as a model gets them: as many as there is room for, pins first."""
    pinned = {pin.id for pin in pins}
    parts, left = list[dict[str, object]](), ROOM
    for part in sorted(held.parts, key=lambda each: each.id not in pinned):
        if left <= 0:
            break
        parts.append({"from": part.source, "text": part.text[:left]})
        left -= len(part.text)
    return parts


def grounded(given: ClaimVerdict, claim: Claim, held: Material, by_rule: Support) -> Support | None:
    """The model's verdict as support; None if its quote is not in the prompt, or has nothing of the
    claim, so that nothing speaks for it. That nothing supports a claim needs no quote."""
    if given.verdict == "unsupported":
        return Support("unsupported", by_rule.coverage, by_rule.missing)
    quote = " ".join(given.quote.split())
    if len(quote.split()) < FEWEST_WORDS or not held.has(quote):
        return None
    if not coverage(claim.terms, terms(quote)):
        return None
    return Support(given.verdict, by_rule.coverage, quote=quote)


def _each_once(name: str, numbers: Sequence[int], count: int) -> None:
    wanted = range(1, count + 1)
    if missing := sorted(set(wanted) - set(numbers)):
        raise NotOfTheForm(f"$.{name} has no verdict on {missing}")
    if len(numbers) != count:
        raise NotOfTheForm(f"$.{name} has more than one verdict on a number, or on one too high")
