"""Long conversations with questions whose evidence is known, from a file: one JSON object a line.
Pure but for the reading."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

TIME = "%I:%M %p on %d %B, %Y"
"""Such as `1:56 pm on 8 May, 2023`; taken as UTC."""


class Malformed(ValueError):
    """The file is not what it should be; the message names the line and the field."""


@dataclass(frozen=True)
class Said:
    """One turn. Turns of a session have one time in the file; here they are a second apart."""

    id: str
    speaker: str
    text: str
    at: datetime


@dataclass(frozen=True)
class Question:
    """A question and the ids of the turns that answer it."""

    text: str
    evidence: frozenset[str]
    category: str


@dataclass(frozen=True)
class Conversation:
    """A conversation and what is asked about it. `left_out` counts questions without evidence."""

    id: str
    turns: Sequence[Said]
    questions: Sequence[Question]
    left_out: int = 0


def read(file: Path) -> list[Conversation]:
    """All conversations of a file. Malformed says what is wrong and where; OSError if the file
    cannot be read."""
    lines = file.read_text().splitlines()
    found = [_conversation(line, number) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise Malformed(f"{file} holds no conversation")
    return found


def _conversation(line: str, number: int) -> Conversation:
    try:
        given = json.loads(line)
    except ValueError as error:
        raise Malformed(f"line {number} is no JSON: {error}") from error
    where = f"line {number}"
    turns = [
        _said(each, place, f"{where}, turns[{place}]")
        for place, each in enumerate(_of(given, "turns", list, where))
    ]
    known = {turn.id for turn in turns}
    asked = [
        _question(each, known, f"{where}, questions[{place}]")
        for place, each in enumerate(_of(given, "questions", list, where))
    ]
    return Conversation(
        _of(given, "conversation_id", str, where),
        turns,
        [question for question in asked if question.evidence],
        sum(not question.evidence for question in asked),
    )


def _said(given: Any, place: int, where: str) -> Said:
    time = _of(given, "time", str, where)
    try:
        at = datetime.strptime(time, TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise Malformed(f"{where}: `time` is no time such as 1:56 pm on 8 May, 2023") from error
    return Said(
        _of(given, "id", str, where),
        _of(given, "speaker", str, where),
        _of(given, "text", str, where),
        at + timedelta(seconds=place),
    )


def _question(given: Any, known: set[str], where: str) -> Question:
    evidence = frozenset(map(str, _of(given, "evidence", list, where)))
    return Question(
        _of(given, "question", str, where), evidence & known, str(given.get("category", ""))
    )


def _of(given: Any, name: str, kind: type[Any], where: str) -> Any:
    if not isinstance(given, dict) or not isinstance(given.get(name), kind):
        raise Malformed(f"{where}: `{name}` is missing or no {kind.__name__}")
    return given[name]
