"""A plan: its form, and what a plan may be. Pure.

A step calls a tool or thinks. An argument {"$step": 2, "path": "results.0.url"} stands for what an
earlier step gave, or for the part of it at that path: so the tools and the order of their calls are
fixed before anything from outside is read, and nothing that is read can change them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from servers.capsules.strict_answers import NotOfTheForm
from servers.runtime.schemas import Schema

REFERENCE, PATH = "$step", "path"
MOST_DEPTH = 8
MOST_BYTES = 8000
"""Of the JSON of a step's arguments: those of twelve steps and their results fit a checkpoint."""


class Step(msgspec.Struct, forbid_unknown_fields=True):
    """One step. Either `tool` with its arguments, or `think` with the numbers of the steps whose
    results it `uses`."""

    purpose: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    tool: str = ""
    arguments: dict[str, Any] = {}
    think: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    uses: Annotated[list[int], msgspec.Meta(max_length=20)] = []

    @property
    def needs(self) -> frozenset[int]:
        """Numbers of the steps whose results it needs."""
        return frozenset([*self.uses, *(each[REFERENCE] for each in references(self.arguments))])


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """The form in which a model plans."""

    steps: Annotated[list[Step], msgspec.Meta(min_length=1, max_length=50)]


def sound(schemas: Mapping[str, Schema], most: int, before: int = 0) -> Callable[[Plan], None]:
    """A check that a plan can be carried out with these tools, of which each has the schema of its
    arguments, in `most` steps; `before` steps came before its first one. NotOfTheForm names step
    and field."""

    def check(plan: Plan) -> None:
        if len(plan.steps) > most:
            raise NotOfTheForm(f"$.steps has {len(plan.steps)} steps, and {most} are allowed")
        for place, step in enumerate(plan.steps):
            path = f"$.steps[{place}]"
            _one_kind(path, step)
            _known_references(path, step, before + place + 1)
            if step.tool:
                _fitting(path, step, schemas)

    return check


def references(value: Any) -> Iterator[dict[str, Any]]:
    """The references in arguments."""
    if isinstance(value, dict):
        if REFERENCE in value:
            yield value
            return
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from references(each)


def _one_kind(path: str, step: Step) -> None:
    if bool(step.tool) == bool(step.think):
        raise NotOfTheForm(f"{path} has to have either tool or think")
    if step.think and step.arguments:
        raise NotOfTheForm(f"{path}.arguments belongs to a tool; think has uses")
    if _depth(step.arguments) > MOST_DEPTH:
        raise NotOfTheForm(f"{path}.arguments is nested too deeply")
    if len(msgspec.json.encode(step.arguments)) > MOST_BYTES:
        raise NotOfTheForm(f"{path}.arguments is longer than {MOST_BYTES} bytes")


def _known_references(path: str, step: Step, number: int) -> None:
    for each in references(step.arguments):
        if set(each) - {REFERENCE, PATH} or not isinstance(each.get(PATH, ""), str):
            raise NotOfTheForm(f'{path}.arguments: a reference is {{"$step": 1, "path": "a.0.b"}}')
        if type(each[REFERENCE]) is not int:
            raise NotOfTheForm(f"{path}.arguments: $step has to be the number of a step")
    for needed in sorted(step.needs):
        if not 1 <= needed < number:
            raise NotOfTheForm(f"{path} needs step {needed}, which is not before step {number}")


def _fitting(path: str, step: Step, schemas: Mapping[str, Schema]) -> None:
    """Arguments with references cannot be checked before those are known: the tool does."""
    if step.tool not in schemas:
        raise NotOfTheForm(
            f"{path}.tool is {step.tool[:100]!r}; the tools are {', '.join(sorted(schemas))}"
        )
    if step.needs:
        return
    if wrong := schemas[step.tool].violations(step.arguments):
        told = "; ".join(f"{path}.arguments{field}: {what}" for field, what in wrong)
        raise NotOfTheForm(told[:500])


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0
