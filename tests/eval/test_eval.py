"""The evaluation reads what it is given, and counts right."""

import json
from pathlib import Path

import pytest

from tests.eval import filler
from tests.eval.__main__ import require_writable
from tests.eval.conversations import Malformed, read
from tests.eval.scores import Answered, row, table

TURN = {"id": "D1:1", "session": 1, "time": "1:56 pm on 8 May, 2023", "speaker": "Ada", "text": "a"}
ASKED = {"question": "What?", "answer": "a", "evidence": ["D1:1"], "category": 2}
WHOLE = {"conversation_id": "c", "turns": [TURN, {**TURN, "id": "D1:2"}], "questions": [ASKED]}


def written(folder: Path, *lines: str) -> Path:
    file = folder / "conversations.jsonl"
    file.write_text("\n".join(lines))
    return file


def test_a_conversation_is_read_in_order(tmp_path: Path) -> None:
    """Turns of a session have one time; they keep their order by seconds."""
    (found,) = read(written(tmp_path, json.dumps(WHOLE), ""))
    assert [turn.at.isoformat() for turn in found.turns] == [
        "2023-05-08T13:56:00+00:00",
        "2023-05-08T13:56:01+00:00",
    ]
    assert found.questions[0].evidence == {"D1:1"}
    assert found.left_out == 0


def test_a_question_whose_evidence_is_nowhere_is_left_out(tmp_path: Path) -> None:
    unknown = {**WHOLE, "questions": [ASKED, {**ASKED, "evidence": ["D9:9"]}]}
    (found,) = read(written(tmp_path, json.dumps(unknown)))
    assert (len(found.questions), found.left_out) == (1, 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is no JSON"),
        ("[]", "line 1: `turns`"),
        (json.dumps({**WHOLE, "turns": [{**TURN, "text": 3}]}), r"turns\[0\]: `text`"),
        (json.dumps({**WHOLE, "turns": [{**TURN, "time": "noon"}]}), r"turns\[0\]: `time`"),
        (json.dumps({**WHOLE, "questions": [{}]}), r"questions\[0\]: `evidence`"),
        ("", "no conversation"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        read(written(tmp_path, line))


def test_a_file_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    require_writable("")
    require_writable(str(tmp_path / "new.json"))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        require_writable(str(tmp_path / "nowhere" / "new.json"))
    with pytest.raises(IsADirectoryError, match="name a file"):
        require_writable(str(tmp_path))


def answered(found: list[str], *evidence: str, seconds: float = 0.01) -> Answered:
    return Answered("c", "1", frozenset(evidence), tuple(found), seconds)


def test_recall_is_the_share_of_the_evidence_that_is_found() -> None:
    one = answered(["x", "a", "", "", "", "b"], "a", "b")
    assert (one.recall(5), one.recall(10), one.reciprocal_rank) == (0.5, 1.0, 0.5)
    assert answered(["x"], "a").reciprocal_rank == 0.0


def test_a_row_is_the_mean_of_its_questions() -> None:
    figures = row("fused", [answered(["a"], "a"), answered(["x"], "a", seconds=0.03)])
    assert (figures["recall_at_5"], figures["mrr"], figures["questions"]) == (0.5, 0.5, 2)
    assert figures["latency_ms"] == {"p50": 30.0, "p95": 30.0}
    assert figures["recall_at_10_by_category"] == {"1": 0.5}
    assert "0.500" in table([figures])


def test_filler_is_always_the_same() -> None:
    assert list(filler.lines(50)) == list(filler.lines(50))
    assert len({text for _, text in filler.lines(50)}) == 50
