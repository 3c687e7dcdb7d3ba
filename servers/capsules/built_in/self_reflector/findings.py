"""What is wrong with an answer, for people. Pure."""

from dataclasses import asdict, dataclass

from .claims import Claim
from .pins import Pin
from .support import Support

SEVERITIES = ("high", "medium", "low")


@dataclass(frozen=True)
class Finding:
    """Something wrong with an answer: what, how bad, by what it shows, and what to do."""

    kind: str
    severity: str
    message_id: str
    turn_id: str
    claim: str
    evidence: str
    suggestion: str

    def as_json(self) -> dict[str, object]:
        """The finding as the result has it."""
        return asdict(self)


@dataclass(frozen=True)
class Answer:
    """An answer that is looked at."""

    message_id: str
    turn_id: str
    text: str
    question: str
    tools: int = 0
    """Tools that were called for it: their results are not in the manifest."""

    def finding(
        self, kind: str, severity: str, evidence: str, suggestion: str, claim: str = ""
    ) -> Finding:
        """A finding about it."""
        return Finding(
            kind, severity, self.message_id, self.turn_id, claim, evidence[:500], suggestion
        )


def of_support(answer: Answer, claim: Claim, support: Support, unread: int) -> Finding | None:
    """What is wrong with a claim that rests on nothing; None if nothing is. Where parts of the
    prompt could not be read it may rest on those: that is said, and it counts for less."""
    if support.verdict in ("supported", "open"):
        return None
    if support.verdict == "contradicted":
        return answer.finding(
            "contradicts_prompt",
            "high",
            f'the prompt says: "{support.quote}"',
            "correct the answer; the prompt had it right in front of the model",
            claim.text,
        )
    if support.missing:
        evidence = f"nowhere in the prompt: {', '.join(support.missing)}"
    else:
        evidence = f"{support.coverage:.0%} of its terms are in the prompt"
    if unread:
        evidence += f"; {unread} parts of the prompt could not be read"
    return answer.finding(
        "unsupported_claim", _severity(claim, support, unread), evidence, _advice(claim), claim.text
    )


def of_pin(answer: Answer, pin: Pin) -> Finding | None:
    """What is wrong with how the context treated a pin."""
    if pin.cut:
        return answer.finding(
            "pin_cut",
            "high",
            f"pinned message {pin.id} was not in the prompt: {pin.verdict}",
            "unpin what is not needed any more, or choose a model with a larger context",
        )
    if pin.verdict == "shortened":
        return answer.finding(
            "pin_shortened",
            "medium",
            f"of pinned message {pin.id} only a part was in the prompt",
            "pin a shorter message that says the same",
        )
    return None


def in_order(findings: list[Finding]) -> list[Finding]:
    """The most severe first, otherwise as they were found."""
    return sorted(findings, key=lambda each: SEVERITIES.index(each.severity))


def _severity(claim: Claim, support: Support, unread: int) -> str:
    place = 2 if support.verdict == "without_basis" else 1
    place -= claim.of_the_user
    return SEVERITIES[min(2, place + (1 if unread else 0))]


def _advice(claim: Claim) -> str:
    if claim.of_the_user:
        return "ask the user instead of stating it, or show where it was said"
    return "name a source for it, or say that it is general knowledge"
