"""One step of a task, done through the skill."""

import json
from collections.abc import Collection

from servers.capsules.skill import Skill, SkillError

from .plan import Step
from .progress import NoSuchPart, Outcome, Run, capped, filled, shown

WORDS = 300
# Of these the run ends: nothing that comes after could work, and a later run can go on.
FATAL = frozenset(["REASON_PROVIDERS_FAILED", "REASON_SERVER_UNAVAILABLE", "REASON_DEADLINE"])


async def done(skill: Skill, run: Run, number: int) -> Outcome:
    """How the step ended. SkillError only where the whole run has to wait for better times."""
    step = run.steps[number - 1]
    if missing := run.missing(number):
        listed = ", ".join(map(str, missing))
        return Outcome(number, "skipped", error=f"it needs steps that are not done: {listed}")
    try:
        result = await (_called(skill, run, step) if step.tool else _thought(skill, run, step))
    except NoSuchPart as error:
        return Outcome(number, "failed", reason="REASON_TOOL_ARGUMENTS", error=str(error))
    except SkillError as error:
        if error.reason in FATAL:
            raise
        return Outcome(number, "failed", reason=error.reason, error=error.message)
    return Outcome(number, "done", capped(result))


def must_not_repeat(step: Step, repeatable: Collection[str]) -> bool:
    """Whether the step may have done something by the time that it fails or dies."""
    return bool(step.tool) and step.tool not in repeatable


async def _called(skill: Skill, run: Run, step: Step) -> object:
    return await skill.call_tool(step.tool, filled(step.arguments, run))


async def _thought(skill: Skill, run: Run, step: Step) -> str:
    results = [{"step": number, "result": shown(run.result(number))} for number in step.uses]
    asked = json.dumps({"step": step.think, "results": results}, ensure_ascii=False)
    text = await skill.generate(asked, system=skill.render("think", words=WORDS))
    if not text.strip():
        raise SkillError("REASON_CAPSULE_FAILED", "the model wrote nothing")
    return text.strip()
