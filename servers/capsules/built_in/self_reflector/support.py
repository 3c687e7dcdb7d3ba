"""What a claim rests on, by its words. Pure.

A claim is `supported` if the prompt has SUPPORTED of its terms and all of its specifics; `made_up`
if a number or a name of it is nowhere in the prompt; `without_basis` if fewer than BASIS of its
terms are in it; else it is `open`: other words may say the same. What a model knows by itself has
no support either, and may be right: so only what speaks of the user, or of what was said, is
severe.
"""

from dataclasses import dataclass

from servers.runtime.language.terms import coverage

from .claims import Claim
from .material import Material

SUPPORTED, BASIS = 0.6, 0.3


@dataclass(frozen=True)
class Support:
    """The verdict on a claim. `missing` are the specifics that the prompt does not have; `quote` is
    what a model showed for it."""

    verdict: str
    coverage: float
    missing: tuple[str, ...] = ()
    quote: str = ""


class Judge:
    """Judges claims by one prompt."""

    def __init__(self, held: Material) -> None:
        self._terms, self._specifics = held.terms, held.specifics

    def support(self, claim: Claim) -> Support:
        """What the claim rests on."""
        covered = round(coverage(claim.terms, self._terms), 3)
        missing = tuple(each for each in claim.specifics if each not in self._specifics)
        if missing:
            return Support("made_up", covered, missing)
        if covered >= SUPPORTED:
            return Support("supported", covered)
        return Support("without_basis" if covered < BASIS else "open", covered)
