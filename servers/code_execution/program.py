"""Programs, what they may use, and what came of them. Pure."""

import json
import keyword
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kari.code_execution.v1.code_execution_pb2 import (
    RunFile,
    RunLimits,
    Runner,
    RunOutcome,
    RunRequest,
)
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.durations import duration
from servers.runtime.errors import InvalidRequest

FILE_BYTES = 2_000_000
FILES_BYTES = 3_000_000
MOST_FILES = 20
LEAST_SECONDS = 0.05
LEAST_MEMORY = 64_000_000
"""Less and CPython does not start a program."""


@dataclass(frozen=True)
class Limits:
    """What a program may use."""

    seconds: float
    memory_bytes: int
    output_bytes: int
    processes: int

    def lowered(self, asked: RunLimits) -> "Limits":
        """These, lowered to what is asked for where that is less; what is not asked for stays."""
        seconds = asked.time.ToTimedelta().total_seconds() if asked.HasField("time") else 0.0
        return Limits(
            max(LEAST_SECONDS, min(seconds or self.seconds, self.seconds)),
            max(LEAST_MEMORY, min(asked.memory_bytes or self.memory_bytes, self.memory_bytes)),
            min(asked.output_bytes or self.output_bytes, self.output_bytes),
            min(asked.processes or self.processes, self.processes),
        )

    def message(self) -> RunLimits:
        """The same for the contract."""
        return RunLimits(
            time=duration(self.seconds),
            memory_bytes=self.memory_bytes,
            output_bytes=self.output_bytes,
            processes=self.processes,
        )


@dataclass(frozen=True)
class Program:
    """A program, its surroundings and its limits."""

    code: str
    limits: Limits
    inputs: Mapping[str, object] = field(default_factory=dict)
    stdin: str = ""
    files: Sequence[RunFile] = ()


@dataclass
class Result:
    """What came of a program; see the contract."""

    outcome: RunOutcome.ValueType = RunOutcome.RUN_OUTCOME_DONE
    explanation: str = ""
    stdout: str = ""
    stderr: str = ""
    truncated: bool = False
    value_json: str = ""
    files: Sequence[RunFile] = ()
    left_out: Sequence[str] = ()


def program_of(request: RunRequest, runner: Runner.ValueType, limits: Limits) -> Program:
    """The program that a request asks to run. InvalidRequest, naming the field, if the runner has
    no use for something of it."""
    if runner == Runner.RUNNER_MONTY:
        _refuse(request.files, "files", "RUNNER_MONTY has no files; RUNNER_CPYTHON has")
        _refuse(request.stdin, "stdin", "RUNNER_MONTY reads no input; RUNNER_CPYTHON does")
    names = [file.name for file in request.files]
    _refuse(len(set(names)) < len(names), "files", "two of them have the same name")
    size = sum(len(file.content) for file in request.files)
    _refuse(size > FILES_BYTES, "files", f"{size} bytes together are more than {FILES_BYTES}")
    inputs = _inputs(request.inputs_json)
    return Program(request.code, limits, inputs, request.stdin, request.files)


def _inputs(text: str) -> Mapping[str, object]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _invalid("inputs_json", "is not a JSON object")
    for name in found:
        wrong = not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__")
        _refuse(wrong, "inputs_json", "names of variables are identifiers")
    return found


def _refuse(wrong: object, field_: str, description: str) -> None:
    if wrong:
        raise _invalid(field_, description)


def _invalid(field_: str, description: str) -> InvalidRequest:
    return InvalidRequest(
        Reason.REASON_FIELD_INVALID,
        f"`{field_}`: {description}",
        violations=[(field_, description)],
    )
