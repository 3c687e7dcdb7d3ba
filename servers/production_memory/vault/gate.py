"""The write gate: what becomes of a statement that is to be remembered. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from servers.production_memory.vault.statement import (
    GREETINGS,
    content_words,
    is_negated,
    is_question,
    normalized,
    numbers,
    sentences,
    stems,
)

LEAST_WORDS = 2
"""Words of content: "call me Bo" has two; one alone states nothing."""

REPEATED_SHARE = 0.8
"""A statement repeats the assistant if so many of its words of content, at least, stand in what the
assistant said just before: four of five leaves room for "yes, ..." and inflections."""

NEAR = 0.94
"""Cosine from which two statements may say the same. all-MiniLM-L6-v2 gives 0.94 to 0.99 for what
is only put differently, and up to 0.93 for another month in it; but 0.99 as well for a negation and
for what is preferred to what, so the details are compared too. docs/decisions/neurovault.md."""


PROCEDURAL = "procedural"
SAME_CASE = 0.75
"""Cosine from which two statements that the same tools worked are about one kind of question.
all-MiniLM-L6-v2 gives 0.86 to 0.98 for a question put differently and up to 0.61 for another one,
the tools being the same. docs/decisions/neurovault.md."""


class Refusal(StrEnum):
    """Why something is not stored; labels of the metric."""

    TRIVIAL = "trivial"
    DUPLICATE = "duplicate"
    REPEATS_ASSISTANT = "repeats_assistant"
    UNGROUNDED = "ungrounded"


@dataclass(frozen=True)
class Claim:
    """A statement and what is known of it: `slot` names what can have one value at a time, `value`
    is that value, `negated` whether it is denied. `stated_at` is when it was said; `recognized` is
    whether a rule knows it as a fact."""

    content: str
    stated_at: datetime
    kind: str = "semantic"
    slot: str = ""
    value: str = ""
    negated: bool = False
    recognized: bool = False

    @property
    def meaning(self) -> str:
        """By which the same statement is found again."""
        return normalized(self.content)


@dataclass(frozen=True)
class Known:
    """A memory that holds, as far as the gate looks at it. `similarity` is the cosine of its vector
    and the claim's, 0 if that is not known."""

    id: str
    claim: Claim
    similarity: float = 0.0


@dataclass(frozen=True)
class Decision:
    """What is done: nothing (`refusal`), with `duplicate_of` confirmed then; or it is stored, in
    the place of those in `replaces`, or as something that held until `outdated_by` was stated."""

    refusal: Refusal | None = None
    duplicate_of: str = ""
    replaces: tuple[str, ...] = ()
    outdated_by: str = ""
    slot: str = ""


def decide(claim: Claim, known: Sequence[Known], said_before: Sequence[str] = ()) -> Decision:
    """The decision on a claim, `known` being what holds of the same user in order of age, and
    `said_before` what the assistant said just before."""
    if not claim.recognized and is_trivial(claim.content):
        return Decision(Refusal.TRIVIAL)
    same = next((k for k in known if _is_same(claim, k)), None)
    if same is not None:
        return Decision(Refusal.DUPLICATE, duplicate_of=same.id)
    if repeats(claim.content, said_before):
        return Decision(Refusal.REPEATS_ASSISTANT)
    return _stored(claim, known)


def is_trivial(content: str) -> bool:
    """Whether it says too little: greetings, questions, fewer than two words of content."""
    if all(is_question(sentence) for sentence in sentences(content)):
        return True
    return len(content_words(content) - GREETINGS) < LEAST_WORDS


def repeats(content: str, said_before: Sequence[str]) -> bool:
    """Whether most of it was said by the assistant. What the assistant asked does not count: the
    answer to a question is the user's own."""
    own = set(stems(content))
    stated = [s for text in said_before for s in sentences(text) if not is_question(s)]
    heard = set[str]().union(*(stems(sentence) for sentence in stated))
    return bool(own) and len(own & heard) >= REPEATED_SHARE * len(own)


def _is_same(claim: Claim, known: Known) -> bool:
    """Word by word; or the same value of the same slot; or nearly the same meaning, if nothing that
    a vector is blind to differs; or the same tools for the same kind of question."""
    other = known.claim
    if claim.meaning == other.meaning:
        return True
    if _is_same_procedure(claim, known):
        return True
    if claim.slot and claim.slot == other.slot:
        return bool(claim.value) and (claim.value, claim.negated) == (other.value, other.negated)
    alike = known.similarity >= NEAR and claim.kind == other.kind and claim.slot == other.slot
    return alike and _same_details(claim.content, other.content)


def _is_same_procedure(claim: Claim, known: Known) -> bool:
    kinds, other = {claim.kind, known.claim.kind}, known.claim
    same_tools = kinds == {PROCEDURAL} and bool(claim.value) and claim.value == other.value
    return same_tools and known.similarity >= SAME_CASE


def _same_details(one: str, other: str) -> bool:
    """What a vector hardly tells: numbers, negations, the order of things, another name."""
    shorter, longer = sorted((stems(one), stems(other)), key=len)
    rest = iter(longer)
    in_order = all(stem in rest for stem in shorter)
    return in_order and numbers(one) == numbers(other) and is_negated(one) == is_negated(other)


def _stored(claim: Claim, known: Sequence[Known]) -> Decision:
    if claim.kind == PROCEDURAL:
        # What worked as well contradicts nothing.
        return Decision(slot=claim.slot)
    rivals = [k for k in known if claim.slot and k.claim.slot == claim.slot]
    if claim.negated:
        denied = [k for k in rivals if k.claim.value == claim.value]
        if rivals and not denied:
            # What is denied is not what holds: nothing is contradicted, and both hold.
            return Decision(slot="")
        rivals = denied
    later = [k for k in rivals if k.claim.stated_at > claim.stated_at]
    if later:
        return Decision(outdated_by=later[0].id, slot=claim.slot)
    return Decision(replaces=tuple(k.id for k in rivals), slot=claim.slot)
