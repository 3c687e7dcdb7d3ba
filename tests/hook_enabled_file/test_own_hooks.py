"""Hooks that an installation adds: rules, and capsules that are asked."""

import json

import pytest

from kari.conversation_models.v1.file_pb2 import File, FileState
from kari.hook_enabled_file.v1 import hook_enabled_file_pb2 as contract
from servers.hook_enabled_file.asking import MOST_QUESTION, answer_of, question
from tests.hook_enabled_file import samples
from tests.hook_enabled_file.asked import LABELLER
from tests.hook_enabled_file.intake import Intake, report, verdicts
from tests.hosting import Somebody, until

READY, REFUSED = FileState.FILE_STATE_READY, FileState.FILE_STATE_REFUSED
TABLE = b"name,amount,date\nada,17,2026-01-02\ngrace,18,2026-01-03\n" * 9
RICH = rb"{\rtf1\ansi\deff0 {\fonttbl {\f0 Times New Roman;}} \f0\fs60 Hello, World!\par }" * 3


async def test_rules_mark_files(intake: Intake) -> None:
    file = await intake.take(TABLE + b"Invoice no. 17,1,2026-01-01\n", "a.csv")
    assert list(file.metadata["marks"]) == ["invoice"]
    assert report(file, "marks").explanation == "an invoice"


async def test_rules_of_a_guard_refuse_files(intake: Intake) -> None:
    file = await intake.take(b"Invoice no. 17, to be paid")
    assert (file.state, file.refused_because) == (REFUSED, "an invoice")
    (entry,) = [e for e in await intake.audited(file) if e.details["hook"] == "stops"]
    assert entry.details["rules"] == "invoice"
    assert (await intake.take(b"nothing to be paid")).state == READY


@pytest.fixture
async def known(intake: Intake) -> Intake:
    """Somebody for whom the capsules are there: they are looked at first."""

    async def there() -> bool:
        hooks = (await intake.stub.ListHooks(contract.ListHooksRequest())).hooks
        return all(h.available for h in hooks if h.name in ("customs", "breaks", "fails"))

    await until(there)
    return intake


async def test_a_capsule_as_a_guard_lets_in_or_refuses(known: Intake) -> None:
    """By the text that it is given; on record with its run."""
    assert (await known.take(TABLE, "a.csv")).state == READY
    file = await known.take(TABLE + b"contraband,1,2026-01-01\n", "a.csv")
    assert (file.state, file.refused_because) == (REFUSED, "contraband is not let in")
    (entry,) = [e for e in await known.audited(file) if e.details["hook"] == "customs"]
    assert entry.details["capsule"] == "capsule.customs"
    assert entry.details["run"].startswith("run_")


async def test_a_capsule_marks_files_for_those_who_may_run_it(known: Intake) -> None:
    """It runs as the file's user; it is told what the file is and says. What it warns of is in the
    report, what it measured with its marks."""
    file = await known.take(TABLE, "a.csv")
    assert (file.state, verdicts(file)["labels"]) == (READY, "failed")
    somebody = Somebody(roles=frozenset({"chat.user", LABELLER}))
    labeller = Intake(known.wiring, somebody)
    with somebody.acts(known.wiring):
        file = await labeller.take(TABLE, "a.csv")
    assert verdicts(file)["labels"] == "passed"
    seen = file.metadata["labels"]["seen"]
    assert (seen["file_id"], seen["name"], seen["content_type"]) == (file.id, "a.csv", "text/csv")
    assert "grace,18" in seen["text"]
    assert list(seen["left_out"]) == []
    assert report(file, "labels").explanation == "labelled; warning: it reads English alone"
    assert dict(file.metadata["labels"]["metrics"]) == {"words": 3}


async def test_a_run_that_fails_closes_or_marks(known: Intake) -> None:
    """By the kind of the hook. What is no answer is a failure too."""
    file = await known.take(RICH, "a.rtf")
    assert (file.state, verdicts(file)["fails"]) == (REFUSED, "failed")
    assert "secret" not in file.refused_because
    file = await known.take(samples.HTML, "a.html")
    assert (file.state, verdicts(file)["breaks"]) == (READY, "failed")
    assert "did not answer as a hook has to" in report(file, "breaks").explanation


async def test_what_cannot_run_is_told(intake: Intake) -> None:
    hooks = (await intake.stub.ListHooks(contract.ListHooksRequest())).hooks
    (labels,) = [hook for hook in hooks if hook.name == "labels"]
    assert not labels.available
    assert "capsule.labels" in labels.unavailable_because


def test_a_question_has_its_bound() -> None:
    """Whatever has to be escaped."""
    asked = question(File(id="file_1", name="a"), ["\0\n" * 200_000], ["page 2"])
    assert len(asked) <= MOST_QUESTION
    given = json.loads(asked)
    assert given["left_out"][0] == "page 2"
    assert given["left_out"][1].startswith("the text behind the first")


@pytest.mark.parametrize(
    "written",
    [
        *("", "[]", "{}", '{"verdict": "maybe"}', '{"verdict": "pass", "reason": 7}'),
        json.dumps({"verdict": "pass", "metadata": {"a": "x" * 9000}}),
        json.dumps({"verdict": "pass", "metadata": {"a": 10**400}}),
        '{"verdict": "pass", "metadata": {"a": ' + "[" * 150 + "]" * 150 + "}}",
    ],
    ids=["empty", "list", "nothing", "maybe", "number", "long", "huge number", "deep"],
)
def test_what_is_no_answer_is_none(written: str) -> None:
    assert answer_of(written) is None
