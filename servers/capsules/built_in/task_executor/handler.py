"""A task: planned, carried out step by step, each step kept, and reported."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from servers.capsules.asking import capable_model, strictly
from servers.capsules.skill import Skill, SkillError
from servers.capsules.strict_answers import NotOfTheForm
from servers.runtime.schemas import Schema

from .acting import done, must_not_repeat
from .plan import Plan, Step, sound
from .progress import Outcome, Run, kept, resumed, shown

STEPS, REVISIONS = 6, 1
REPORT_WORDS = 400


@dataclass(frozen=True)
class Tools:
    """The tools that may be used, as a model sees them, with the schemas of their arguments."""

    listed: list[dict[str, Any]]
    schemas: Mapping[str, Schema]
    repeatable: frozenset[str]


async def run(skill: Skill) -> Mapping[str, object]:
    """The report, with the outcome of each step. A run that is resumed goes on behind the last step
    that ended."""
    await capable_model(skill, "carrying out a task")
    tools, task = await _tools(skill), skill.input["task"]
    work = await _begun(skill, task, tools)
    while number := work.next:
        await _step(skill, work, number, tools)
        if work.to_revise:
            await _revise(skill, work, tools)
    return await _told(skill, work)


async def _step(skill: Skill, work: Run, number: int, tools: Tools) -> None:
    """Does the step and keeps how it ended; before, that it begins, if it must not be repeated."""
    step = work.steps[number - 1]
    await skill.progress(
        f"step {number} of {len(work.steps)}: {step.purpose}", (number - 1) / len(work.steps)
    )
    if must_not_repeat(step, tools.repeatable):
        work.running = number
        await skill.checkpoint(kept(work))
    outcome = await done(skill, work, number)
    work.outcomes.append(outcome)
    work.running, work.to_revise = 0, outcome.status == "failed"
    await skill.checkpoint(kept(work))


async def _tools(skill: Skill) -> Tools:
    """Those of the manifest that the user may use and that are there, less those not wished."""
    wished = skill.input.get("tools")
    usable = [
        each
        for each in await skill.tools()
        if each["available"] and (wished is None or each["id"] in wished)
    ]
    return Tools(
        [{name: each[name] for name in ("id", "description", "parameters")} for each in usable],
        {each["id"]: Schema(each["parameters"]) for each in usable},
        frozenset(each["id"] for each in usable if each["idempotent"]),
    )


async def _begun(skill: Skill, task: str, tools: Tools) -> Run:
    """The run of the checkpoint, or a new one with its plan."""
    try:
        if skill.state is not None:
            return await _resumed(skill, task, tools)
        await skill.progress("planning", 0.0)
        plan = await _planned(skill, {"task": task}, tools, skill.input.get("steps", STEPS), 0)
    except NotOfTheForm as wrong:
        what = "cannot go on" if skill.state is not None else "the model gave no plan"
        raise SkillError("REASON_CAPSULE_FAILED", f"{what}: {wrong}") from wrong
    work = Run(task, plan)
    await skill.checkpoint(kept(work))
    return work


async def _resumed(skill: Skill, task: str, tools: Tools) -> Run:
    work = resumed(skill.state, task)
    if work.to_revise:
        await _revise(skill, work, tools)
    return work


async def _planned(
    skill: Skill, told: Mapping[str, object], tools: Tools, most: int, ended: int
) -> list[Step]:
    plan = await strictly(
        skill,
        Plan,
        json.dumps({**told, "tools": tools.listed}, ensure_ascii=False),
        system=skill.render("plan", most=most, first=ended + 1),
        check=sound(tools.schemas, most, ended),
    )
    return plan.steps


async def _revise(skill: Skill, work: Run, tools: Tools) -> None:
    """Plans anew what is left after a step that failed, if there are revisions and steps left. The
    model sees how the steps ended and none of their results: what was read from outside does not
    decide what is done next."""
    most, ended = skill.input.get("steps", STEPS), len(work.outcomes)
    work.to_revise = False
    if work.revisions >= skill.input.get("revisions", REVISIONS) or ended >= most:
        return
    work.revisions += 1
    told = {"task": work.task, "ended": [_ended(work, each) for each in work.outcomes]}
    try:
        left = await _planned(skill, told, tools, most - ended, ended)
        work.steps, work.revised_after = work.steps[:ended] + left, ended
    except NotOfTheForm as wrong:
        skill.warn(f"the plan was not revised: {wrong}")
    await skill.checkpoint(kept(work))


def _ended(work: Run, outcome: Outcome) -> dict[str, object]:
    step = work.steps[outcome.step - 1]
    return {
        "step": outcome.step,
        "purpose": step.purpose,
        "tool": step.tool,
        "status": outcome.status,
        "reason": outcome.reason,
    }


async def _told(skill: Skill, work: Run) -> Mapping[str, object]:
    steps = [_shown(work, each) for each in work.outcomes]
    skill.measure("steps", len(steps))
    skill.measure("revisions", work.revisions)
    asked = json.dumps({"task": work.task, "steps": steps}, ensure_ascii=False)
    way, report = "model", ""
    try:
        system = skill.render("report", words=REPORT_WORDS)
        report = (await skill.generate(asked, system=system)).strip()
    except SkillError as error:
        skill.warn(f"the report is a list of the steps: {error.message}")
    if not report:
        way, report = "list", "\n".join(_line(each) for each in steps)
    return {
        "status": work.status,
        "report": report,
        "report_by": way,
        "steps": steps,
        "revisions": work.revisions,
    }


def _shown(work: Run, outcome: Outcome) -> dict[str, object]:
    step = work.steps[outcome.step - 1]
    return {
        "step": outcome.step,
        "purpose": step.purpose,
        "tool": step.tool,
        "status": outcome.status,
        "result": "" if outcome.result is None else shown(outcome.result),
        "reason": outcome.reason,
        "error": outcome.error,
    }


def _line(step: Mapping[str, object]) -> str:
    why = f" ({step['error']})" if step["error"] else ""
    return f"{step['step']}. {step['purpose']}: {step['status']}{why}"
