"""How `code.run` describes itself. Pure."""

from kari.code_execution.v1.code_execution_pb2 import Runner
from servers.tool_integration.tool import Tool

RUNNERS = {
    "default": Runner.RUNNER_UNSPECIFIED,
    "monty": Runner.RUNNER_MONTY,
    "cpython": Runner.RUNNER_CPYTHON,
}
TEXT = {"type": "string"}

TOOL = Tool(
    id="code.run",
    name="Run code",
    description=(
        "Runs a Python program in a sandbox without network and gives what it prints and the value "
        "of its last expression. Use it for work with data, for algorithms, and to try code out; "
        "for plain arithmetic use calculator. The default runner knows a subset of Python without "
        "most modules, and is quick; `cpython` has the whole standard library and a folder of its "
        "own. A program that raises or takes too long is told by `outcome`: mend it and try again."
    ),
    parameters={
        "type": "object",
        "properties": {
            "code": {
                "type": "string",
                "minLength": 1,
                "maxLength": 50_000,
                "description": "The program, in Python.",
            },
            "runner": {"enum": list(RUNNERS), "description": "What runs it."},
            "inputs": {
                "type": "object",
                "description": "Variables that the program finds set, by name.",
            },
            "stdin": TEXT | {"description": "What it reads from standard input."},
            "files": {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": 300},
                "maxItems": 20,
                "description": "Files of the user or of this conversation, by name or id, that the "
                "program finds in its folder; `given` says how they are called there. Only for "
                "`cpython`.",
            },
            "seconds": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 60,
                "description": "Longest time that it may take.",
            },
        },
        "required": ["code"],
        "additionalProperties": False,
    },
    result={
        "type": "object",
        "properties": {
            "outcome": {
                "enum": [
                    *("done", "raised", "timed_out", "out_of_memory", "too_much_output"),
                    *("refused", "killed", "unspecified"),
                ]
            },
            "stdout": TEXT,
            "stderr": TEXT,
            "value": {"description": "Value of the last expression."},
            "explanation": TEXT | {"description": "How it ended, in a sentence."},
            "truncated": {"type": "boolean"},
            "files": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": TEXT, "bytes": {"type": "integer"}, "text": TEXT},
                    "required": ["name"],
                    "additionalProperties": False,
                },
                "description": "Files that it made; those that are texts with their beginnings.",
            },
            "given": {"type": "array", "items": TEXT, "description": "Files that it was given."},
            "runner": TEXT,
            "seconds": {"type": "number"},
        },
        "required": ["outcome", "stdout", "stderr", "truncated", "runner", "seconds"],
        "additionalProperties": False,
    },
    roles=frozenset({"chat.tools.code"}),
    calls_per_minute=60,
    calls_per_hour=1000,
    timeout=75.0,
    # It reaches nothing outside of its jail.
    idempotent=False,
)
