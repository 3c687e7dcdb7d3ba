"""What became of pinned messages. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from servers.runtime.language.terms import coverage, terms

from .material import id_of

RELEVANT = 0.3
"""A pin is relevant to a question if the question has so many of its terms."""


@dataclass(frozen=True)
class Pin:
    """A pinned message and the verdict of the context on it."""

    id: str
    verdict: str
    text: str

    @property
    def cut(self) -> bool:
        """Whether the model did not see it."""
        return self.verdict.startswith("cut")


def pins_of(manifest: Mapping[str, Any], texts: Mapping[str, str]) -> list[Pin]:
    """The pinned messages among the candidates of a prompt."""
    return [
        Pin(id_of(each), str(each.get("verdict")), texts.get(id_of(each), ""))
        for each in manifest.get("candidates", ())
        if each.get("source") == "pinned"
    ]


def left_out(manifest: Mapping[str, Any], pins: Sequence[Pin]) -> int:
    """How many pins are not in the prompt and are not named among its candidates either."""
    return max(0, int(manifest.get("pins_left_out") or 0) - sum(pin.cut for pin in pins))


def seems_ignored(pin: Pin, question: str, answer: str) -> bool:
    """Whether the model saw a pin that the question is about, and wrote nothing of what the pin
    adds to the question."""
    pinned, asked = set(terms(pin.text)), set(terms(question))
    if pin.cut or not pinned or coverage(pinned, asked) < RELEVANT:
        return False
    added = pinned - asked
    return bool(added) and not added & set(terms(answer))
