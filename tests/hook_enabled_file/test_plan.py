"""What is left to do for a file, and what a verdict means for it."""

from dataclasses import dataclass

from kari.conversation_models.v1.file_pb2 import File, FileState, HookKind, HookReport
from servers.hook_enabled_file import plan
from servers.hook_enabled_file.hooks import (
    ENRICH,
    FAILED,
    GUARD,
    PASSED,
    REFUSED,
    RUNNING,
    SKIPPED,
    Looked,
    Outcome,
)

READY, QUARANTINED = FileState.FILE_STATE_READY, FileState.FILE_STATE_QUARANTINED


@dataclass(frozen=True)
class Named:
    """A hook that does nothing."""

    name: str
    kind: HookKind.ValueType = GUARD
    description: str = ""
    seconds: float = 1.0

    async def unavailable(self) -> str:
        """It can run."""
        return ""

    def skips(self, looked: Looked) -> str:
        """Nothing."""
        return ""

    def listens(self, looked: Looked) -> bool:
        """To nothing."""
        return False

    async def look(self, looked: Looked) -> Outcome:
        """It passes."""
        return Outcome()


SCAN, POLICY, TEXT = Named("scan"), Named("policy"), Named("text", ENRICH)
HOOKS = [SCAN, POLICY, TEXT]


def seen(**verdicts: int) -> File:
    """A file of which hooks have said so."""
    reports = [HookReport(hook=h, verdict=v, explanation=h) for h, v in verdicts.items()]  # type: ignore[arg-type]
    return File(reports=reports)


def test_guards_come_first_whatever_the_order_says() -> None:
    """Within their kind they come as they are named; the others behind."""
    order = plan.ordered([TEXT, Named("own"), POLICY, SCAN], ["text", "policy", "scan"])
    assert [hook.name for hook in order] == ["policy", "scan", "own", "text"]


def test_what_has_no_end_runs_again() -> None:
    """Whoever ran it may be gone."""
    assert plan.left(HOOKS, seen(scan=PASSED, policy=RUNNING)) == [POLICY, TEXT]
    assert plan.left(HOOKS, seen(scan=PASSED, policy=SKIPPED, text=FAILED)) == []


def test_a_file_is_ready_when_every_guard_has_passed() -> None:
    assert plan.state_with(HOOKS, seen(scan=PASSED)) == QUARANTINED
    assert plan.state_with(HOOKS, seen(scan=PASSED, policy=RUNNING)) == QUARANTINED
    assert plan.state_with(HOOKS, seen(scan=PASSED, policy=SKIPPED)) == READY
    assert plan.state_with(HOOKS, seen(scan=PASSED, policy=PASSED, text=FAILED)) == READY


def test_a_guard_is_patient() -> None:
    """For as long as it is told, with growing pauses; what finds things out is not."""
    patient = list(plan.pauses(GUARD, 3600))
    assert sum(patient) == 3600
    assert patient == sorted(patient[:-1]) + patient[-1:]
    assert max(patient) <= plan.LONGEST_PAUSE
    assert list(plan.pauses(ENRICH, 3600)) == list(plan.pauses(GUARD, 0)) == list(plan.PAUSES)


def test_a_guard_that_fails_closes_the_file() -> None:
    """As one that refuses it; one that finds things out only marks it."""
    for verdict in (REFUSED, FAILED):
        assert plan.refused_by(HOOKS, seen(scan=verdict)) == "scan"
        assert plan.refuses(SCAN, Outcome(verdict))
        assert not plan.refuses(TEXT, Outcome(verdict))
        assert plan.refused_by(HOOKS, seen(text=verdict)) == ""
