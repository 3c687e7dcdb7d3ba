"""Jobs for the workers, and what their reports say. Pure.

A report comes from the jail: each field of it is checked as anything from outside is.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from kari.code_execution.v1.code_execution_pb2 import RunFile, RunOutcome
from servers.code_execution.program import (
    FILE_BYTES,
    FILES_BYTES,
    MOST_FILES,
    Program,
    Result,
)

LARGEST_REPORT = 12_000_000
LONGEST_VALUE = 500_000
LONGEST_EXPLANATION = 200
MOST_LEFT_OUT = 50
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}\Z")
OUTCOMES: Mapping[str, RunOutcome.ValueType] = {
    "done": RunOutcome.RUN_OUTCOME_DONE,
    "raised": RunOutcome.RUN_OUTCOME_RAISED,
    "timed_out": RunOutcome.RUN_OUTCOME_TIMED_OUT,
    "out_of_memory": RunOutcome.RUN_OUTCOME_OUT_OF_MEMORY,
    "refused": RunOutcome.RUN_OUTCOME_REFUSED,
    "killed": RunOutcome.RUN_OUTCOME_KILLED,
}


def unreadable() -> Result:
    """What came of a program whose report is missing, or none."""
    return Result(RunOutcome.RUN_OUTCOME_KILLED, "it died with its worker")


def job_of(program: Program, **policy: object) -> bytes:
    """A program as its worker takes it; `policy` is what the runner adds."""
    limits = program.limits
    job = {
        "code": program.code,
        "inputs_json": json.dumps(program.inputs),
        "stdin": program.stdin,
        "files": [
            {"name": file.name, "content": base64.b64encode(file.content).decode()}
            for file in program.files
        ],
        "seconds": limits.seconds,
        "cpu_seconds": int(limits.seconds) + 2,
        "memory_bytes": limits.memory_bytes,
        "processes": limits.processes,
        "file_bytes": FILE_BYTES,
        "files_bytes": FILES_BYTES,
        "most_files": MOST_FILES,
        **policy,
    }
    body = json.dumps(job).encode()
    return len(body).to_bytes(4, "big") + body


def result_of(body: bytes) -> Result:
    """What a report says."""
    try:
        report = json.loads(body)
        outcome = OUTCOMES[report["outcome"]]
        return Result(
            outcome,
            _text(report.get("explanation", ""))[:LONGEST_EXPLANATION],
            value_json=_value(report.get("value_json", "")),
            files=_files(report.get("files", [])),
            left_out=_names(report.get("left_out", [])),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return unreadable()


def _text(given: object) -> str:
    return str(given).encode(errors="replace").decode()


def _value(given: object) -> str:
    text = _text(given)
    if not text or len(text.encode()) > LONGEST_VALUE:
        return ""
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return ""
    return text


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _files(given: Sequence[Mapping[str, str]]) -> Sequence[RunFile]:
    files, room = list[RunFile](), FILES_BYTES
    for each in given[:MOST_FILES]:
        content = base64.b64decode(each["content"], validate=True)
        room -= len(content)
        if not FILE_NAME.match(each["name"]) or len(content) > FILE_BYTES or room < 0:
            raise ValueError("a file that no worker would report")
        files.append(RunFile(name=each["name"], content=content))
    return files


def _names(given: Sequence[str]) -> Sequence[str]:
    return [name for name in given[:MOST_LEFT_OUT] if FILE_NAME.match(name)]
