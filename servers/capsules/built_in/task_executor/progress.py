"""How far a task has come: what is kept after each step, and what comes next. Pure."""

import json
from typing import Any, Literal

import msgspec

from servers.capsules.strict_answers import NotOfTheForm

from .plan import PATH, REFERENCE, Step

VERSION = 1
KEPT_BYTES = 10_000
"""Of the JSON of a result: twelve of them fit a checkpoint."""
SHOWN_CHARACTERS = 4000
"""Of the JSON of a result, in a prompt and in the report."""

Status = Literal["done", "failed", "interrupted", "skipped"]


class NoSuchPart(Exception):
    """A result does not have what a step needs of it; the text says what."""


class Outcome(msgspec.Struct):
    """How a step ended. `reason` and `error` say why it did not do what it was to do."""

    step: int
    status: Status
    result: Any = None
    reason: str = ""
    error: str = ""


class Run(msgspec.Struct):
    """A task, its steps, and the outcomes of the first of them. `running` is the number of a step
    that must not be repeated and has begun; 0 if none has. The plan that holds now begins after
    step `revised_after`; `to_revise` if a step failed and nobody has planned anew since."""

    task: str
    steps: list[Step]
    outcomes: list[Outcome] = []
    running: int = 0
    revisions: int = 0
    revised_after: int = 0
    to_revise: bool = False
    version: int = VERSION

    @property
    def next(self) -> int:
        """The number of the next step, from 1 on; 0 if all have ended."""
        return 0 if len(self.outcomes) == len(self.steps) else len(self.outcomes) + 1

    @property
    def status(self) -> str:
        """`completed` if every step of the plan that holds now is done, `failed` if no step ever
        was, else `partial`."""
        done = [each.status == "done" for each in self.outcomes]
        if all(done[self.revised_after :]):
            return "completed"
        return "partial" if any(done) else "failed"

    def missing(self, number: int) -> list[int]:
        """The steps that this one needs and that are not done."""
        needed = sorted(self.steps[number - 1].needs)
        return [each for each in needed if self.outcomes[each - 1].status != "done"]

    def result(self, number: int) -> Any:
        """What a step gave."""
        return self.outcomes[number - 1].result


def kept(run: Run) -> Any:
    """The run as a checkpoint has it."""
    return msgspec.to_builtins(run)


def resumed(state: Any, task: str) -> Run:
    """The run of a checkpoint. A step that had begun and must not be repeated is interrupted: what
    came of it nobody knows. NotOfTheForm if it is no checkpoint, or one of another task."""
    try:
        run = msgspec.convert(state, Run)
    except msgspec.ValidationError as error:
        raise NotOfTheForm(f"the checkpoint is not one of this version: {error}") from error
    if run.version != VERSION or len(run.outcomes) > len(run.steps):
        raise NotOfTheForm("the checkpoint is not one of this version")
    if run.task != task:
        raise NotOfTheForm("the run was begun for another task")
    if run.running:
        run.outcomes.append(
            Outcome(
                run.running,
                "interrupted",
                error="it had begun when the run ended, and is not repeated: look whether it "
                "was done",
            )
        )
        run.running = 0
    return run


def filled(arguments: Any, run: Run) -> Any:
    """Arguments with what the references stand for; NoSuchPart if a result does not have it."""
    if isinstance(arguments, dict):
        if REFERENCE in arguments:
            number, path = arguments[REFERENCE], arguments.get(PATH, "")
            return _part(run.result(number), path, number)
        return {name: filled(value, run) for name, value in arguments.items()}
    if isinstance(arguments, list):
        return [filled(value, run) for value in arguments]
    return arguments


def capped(result: Any) -> Any:
    """A result as it is kept: one that is too long as the beginning of its JSON."""
    text = json.dumps(result, ensure_ascii=False).encode("utf-8", "replace")
    return result if len(text) <= KEPT_BYTES else text[:KEPT_BYTES].decode("utf-8", "ignore")


def shown(result: Any) -> str:
    """A result as it is shown, as JSON or as the text that it is."""
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _part(value: Any, path: str, number: int) -> Any:
    for name in filter(None, path.split(".")):
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise NoSuchPart(f"step {number} gave no {path}") from error
    return value
