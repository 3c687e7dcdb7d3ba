"""The tool `code.run`: a program, run in the sandbox of code execution."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kari.code_execution.v1.code_execution_pb2 import (
    RunFile,
    RunLimits,
    Runner,
    RunOutcome,
    RunRequest,
    RunResponse,
)
from servers.runtime.durations import duration
from servers.runtime.names import short
from servers.tool_integration import strict
from servers.tool_integration.built_in.code_tool import RUNNERS, TOOL
from servers.tool_integration.built_in.given_files import GivenFiles
from servers.tool_integration.tool import Invocation, Json, Offer

if TYPE_CHECKING:
    from kari.code_execution.v1.code_execution_pb2_grpc import CodeExecutionServiceAsyncStub

MOST_OUTPUT = 20_000
"""Characters of each stream that are told; its beginning and its end say most."""
MOST_FILE_TEXT = 4_000
NO_VALUE = (
    "the value of the last expression is left out: no JSON can say it, such as NaN, half a "
    "character or a number of thousands of digits; print it instead"
)


class CodeRun:
    """Has code execution run programs, in the user's name. A program that raises, or is stopped,
    is a result: the model that wrote it can mend it."""

    def __init__(self, code: "CodeExecutionServiceAsyncStub", files: GivenFiles) -> None:
        self._code = code
        self._files = files

    async def __call__(self, arguments: Mapping[str, Json], invocation: Invocation) -> Json:
        """How the program ended, and what it wrote."""
        request = RunRequest(
            runner=RUNNERS[arguments.get("runner", "default")],
            code=arguments["code"],
            stdin=arguments.get("stdin", ""),
        )
        if "inputs" in arguments:
            request.inputs_json = json.dumps(arguments["inputs"], ensure_ascii=False)
        if "seconds" in arguments:
            request.limits.CopyFrom(RunLimits(time=duration(arguments["seconds"])))
        if wanted := arguments.get("files", ()):
            request.files.extend(await self._files.named(wanted, invocation.conversation_id))
        said = _said(await self._code.Run(request))
        if request.files:
            said["given"] = [file.name for file in request.files]
        return said

    def offer(self) -> Offer:
        """As a tool."""
        return Offer(TOOL, self)


def _said(ran: RunResponse) -> Json:
    stdout, stderr = _middle_out(ran.stdout), _middle_out(ran.stderr)
    said: dict[str, Json] = {
        "outcome": short(RunOutcome, ran.outcome),
        "stdout": stdout,
        "stderr": stderr,
        "truncated": ran.output_truncated or (stdout, stderr) != (ran.stdout, ran.stderr),
        "runner": short(Runner, ran.runner),
        "seconds": round(ran.duration.ToNanoseconds() / 1e9, 4),
    }
    explanation = [ran.explanation] if ran.explanation else []
    if ran.value_json:
        try:
            said["value"] = strict.loads(ran.value_json)
        except (ValueError, RecursionError):
            explanation.append(NO_VALUE)
    if explanation:
        said["explanation"] = "; ".join(explanation)
    if ran.files or ran.left_out:
        said["files"] = [*map(_file, ran.files), *({"name": name} for name in ran.left_out)]
    return said


def _file(file: RunFile) -> Json:
    said: dict[str, Json] = {"name": file.name, "bytes": len(file.content)}
    try:
        text = file.content.decode()
    except UnicodeDecodeError:
        return said
    return said | {"text": text[:MOST_FILE_TEXT]}


def _middle_out(text: str) -> str:
    if len(text) <= MOST_OUTPUT:
        return text
    half = MOST_OUTPUT // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
