"""Asking a model for an answer in a strict form, with one attempt to mend it."""

from collections.abc import Callable
from typing import TypeVar

from servers.capsules.skill import ModelInfo, Skill, SkillError
from servers.capsules.strict_answers import NotOfTheForm, decoded

T = TypeVar("T")

MOST_SHOWN = 4000
"""Characters of a wrong answer that are shown to the model again."""


def _fits(_answer: object) -> None:
    """Every answer of the type is taken."""


async def capable_model(skill: Skill, what: str) -> ModelInfo:
    """The model, if it is one that can do this. SkillError REASON_MODEL_TOO_SMALL says what the
    small local one cannot do, and the way out."""
    model = await skill.model()
    if not model.capable:
        raise SkillError(
            "REASON_MODEL_TOO_SMALL",
            f"{what} needs a capable model, and the one chosen here, {model.id}, is too small; "
            "choose another one with /model, or configure a provider (docs/models.md)",
        )
    return model


async def strictly(
    skill: Skill,
    form: type[T],
    prompt: str,
    *,
    system: str,
    check: Callable[[T], None] = _fits,
    max_tokens: int = 0,
) -> T:
    """What the model answers, as `form`. An answer that does not fit, or that `check` refuses with
    NotOfTheForm, is shown to it once more with what is wrong. NotOfTheForm if that one does not fit
    either; SkillError if the model fails."""
    answer = await skill.generate(prompt, system=system, max_tokens=max_tokens, temperature=0.0)
    try:
        return _taken(answer, form, check)
    except NotOfTheForm as wrong:
        again = (
            f"{prompt}\n\nYour answer was:\n{answer[:MOST_SHOWN]}\n\nIt cannot be used: {wrong}. "
            "Answer again, with the JSON alone."
        )
    answer = await skill.generate(again, system=system, max_tokens=max_tokens, temperature=0.0)
    return _taken(answer, form, check)


def _taken(answer: str, form: type[T], check: Callable[[T], None]) -> T:
    value = decoded(answer, form)
    check(value)
    return value
