"""Plans and how far a task has come."""

import json
from typing import Any

import pytest

from servers.capsules.built_in.task_executor.plan import Plan, Step, sound
from servers.capsules.built_in.task_executor.progress import (
    KEPT_BYTES,
    NoSuchPart,
    Outcome,
    Run,
    capped,
    filled,
    kept,
    resumed,
    shown,
)
from servers.capsules.strict_answers import NotOfTheForm, decoded
from servers.runtime.schemas import Schema

SCHEMAS = {
    "calculator": Schema(
        {
            "type": "object",
            "required": ["expression"],
            "additionalProperties": False,
            "properties": {"expression": {"type": "string"}},
        }
    ),
    "time": Schema({"type": "object"}),
}
SUM = {"purpose": "add", "tool": "calculator", "arguments": {"expression": "1+1"}}


def check(*steps: dict[str, Any], most: int = 5, before: int = 0) -> None:
    sound(SCHEMAS, most, before)(decoded(json.dumps({"steps": steps}), Plan))


def test_a_sound_plan_is_taken() -> None:
    check(
        SUM,
        {"purpose": "double", "tool": "calculator", "arguments": {"expression": {"$step": 1}}},
        {"purpose": "explain", "think": "explain the result", "uses": [1, 2]},
    )


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"purpose": "x"}, "either tool or think"),
        ({**SUM, "think": "hm"}, "either tool or think"),
        ({"purpose": "x", "tool": "rm_rf"}, "the tools are calculator, time"),
        ({"purpose": "x", "tool": "calculator"}, r"steps\[0\]\.arguments\.expression: is missing"),
        ({"purpose": "x", "tool": "calculator", "arguments": {"expression": 2}}, "not of type"),
        ({"purpose": "x", "think": "y", "uses": [2]}, "needs step 2"),
        ({"purpose": "x", "think": "y", "uses": [0]}, "needs step 0"),
        ({"purpose": "x", "think": "y", "uses": [1]}, "needs step 1"),
        ({"purpose": "x", "tool": "time", "arguments": {"a": [{"$step": 3}]}}, "needs step 3"),
        ({"purpose": "x", "tool": "time", "arguments": {"a": {"$step": "1"}}}, "the number of a"),
        ({"purpose": "x", "tool": "time", "arguments": {"a": {"$step": True}}}, "the number of a"),
        ({"purpose": "x", "tool": "time", "arguments": {"a": {"$step": 1, "b": 2}}}, "a reference"),
        ({"purpose": "x", "think": "y", "arguments": {"a": 1}}, "belongs to a tool"),
        ({"purpose": "", "think": "y"}, "length >= 1"),
        ({"purpose": "x", "think": "y", "tools": ["time"]}, "unknown field"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(step: dict[str, Any], told: str) -> None:
    with pytest.raises(NotOfTheForm, match=told):
        check(step)


def test_a_plan_has_no_more_steps_than_agreed_and_one_at_least() -> None:
    with pytest.raises(NotOfTheForm, match="3 steps, and 2 are allowed"):
        check(SUM, SUM, SUM, most=2)
    with pytest.raises(NotOfTheForm, match="length >= 1"):
        check()


def test_arguments_nested_too_deeply_are_refused() -> None:
    deep: Any = 1
    for _ in range(30):
        deep = [deep]
    with pytest.raises(NotOfTheForm, match="nested"):
        check({"purpose": "x", "tool": "time", "arguments": {"a": deep}})


def test_arguments_that_are_too_long_are_refused() -> None:
    with pytest.raises(NotOfTheForm, match="longer than 8000 bytes"):
        check({"purpose": "x", "tool": "time", "arguments": {"a": "x" * 8000}})


def test_a_revised_plan_may_use_the_steps_before_it() -> None:
    check({"purpose": "x", "think": "y", "uses": [2]}, before=2)


def run(*outcomes: Outcome, steps: int = 3) -> Run:
    return Run("task", [Step("s", think="t") for _ in range(steps)], list(outcomes))


def test_references_become_what_a_step_gave() -> None:
    work = run(Outcome(1, "done", {"results": [{"url": "u"}], "n": 3}))
    assert filled({"a": {"$step": 1, "path": "results.0.url"}, "b": [{"$step": 1}]}, work) == {
        "a": "u",
        "b": [{"results": [{"url": "u"}], "n": 3}],
    }


@pytest.mark.parametrize("path", ["results.5", "results.x", "nothing", "n.x", "results.0.url.x"])
def test_a_part_that_is_not_there_is_told(path: str) -> None:
    work = run(Outcome(1, "done", {"results": [{"url": "u"}], "n": 3}))
    with pytest.raises(NoSuchPart, match=f"step 1 gave no {path}"):
        filled({"a": {"$step": 1, "path": path}}, work)


def test_what_a_step_gave_is_never_read_as_a_reference() -> None:
    work = run(Outcome(1, "done", {"$step": 2}), Outcome(2, "done", "secret"))
    assert filled({"a": {"$step": 1}}, work) == {"a": {"$step": 2}}


def test_long_results_are_cut() -> None:
    assert capped({"a": 1}) == {"a": 1}
    assert len(capped({"a": "x" * 100_000})) == KEPT_BYTES
    assert len(capped({"a": "\u20ac" * 100_000}).encode()) <= KEPT_BYTES
    assert shown("x" * 5000).endswith("...")
    assert shown({"a": "\u00e4"}) == '{"a": "\u00e4"}'


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["done", "done"], "completed"),
        (["done", "failed"], "partial"),
        (["failed", "skipped"], "failed"),
        (["interrupted", "done"], "partial"),
    ],
)
def test_the_status_of_a_task_is_that_of_its_steps(statuses: list[Any], expected: str) -> None:
    work = run(*(Outcome(n, s) for n, s in enumerate(statuses, start=1)), steps=2)
    assert work.status == expected
    assert work.next == 0


def test_a_run_comes_back_from_its_checkpoint() -> None:
    work = run(Outcome(1, "done", [1]))
    again = resumed(json.loads(json.dumps(kept(work))), "task")
    assert again == work
    assert again.next == 2


def test_a_step_that_had_begun_and_must_not_be_repeated_is_interrupted() -> None:
    work = run(Outcome(1, "done", [1]))
    work.running = 2
    again = resumed(kept(work), "task")
    assert [each.status for each in again.outcomes] == ["done", "interrupted"]
    assert (again.next, again.running) == (3, 0)


@pytest.mark.parametrize("state", ["rubbish", {}, {"task": "task", "steps": [], "version": 9}])
def test_a_checkpoint_that_is_none_is_refused(state: object) -> None:
    with pytest.raises(NotOfTheForm, match="not one of this version"):
        resumed(state, "task")


def test_a_checkpoint_of_another_task_is_refused() -> None:
    with pytest.raises(NotOfTheForm, match="another task"):
        resumed(kept(run()), "something else")
