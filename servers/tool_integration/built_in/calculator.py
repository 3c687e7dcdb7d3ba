"""The tool `calculator`: arithmetic that is right."""

from collections.abc import Mapping

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest
from servers.tool_integration.built_in.expression import (
    FUNCTIONS,
    MOST_CHARACTERS,
    NAMES,
    NoResult,
    Number,
    evaluated,
    written,
)
from servers.tool_integration.tool import Invocation, Json, Offer, Tool

TOOL = Tool(
    id="calculator",
    name="Calculator",
    description=(
        "Evaluates an arithmetic expression exactly: whole numbers of any usual size, decimals to "
        "34 digits. Use it for every calculation with more than one or two digits instead of "
        "reckoning yourself. Operators: + - * / // (whole division) % (remainder) ** or ^ (power), "
        f"parentheses. Constants: {', '.join(NAMES)}. Functions: {', '.join(FUNCTIONS)}; angles "
        "are in radians. Write 1000000, not 1,000,000, and 0.05 * 80 for five percent of 80."
    ),
    parameters={
        "type": "object",
        "properties": {
            "expression": {
                "type": "string",
                "minLength": 1,
                "maxLength": MOST_CHARACTERS,
                "description": "The expression, such as (17.5 + 3) * 12 or sqrt(2) * 10^3.",
            }
        },
        "required": ["expression"],
        "additionalProperties": False,
    },
    result={
        "type": "object",
        "properties": {
            "expression": {"type": "string"},
            "result": {"type": "string", "description": "The number, with all its digits."},
            "number": {"type": "number", "description": "The same, as near as JSON readers get."},
        },
        "required": ["expression", "result"],
        "additionalProperties": False,
    },
    timeout=2.0,
)


async def _calculate(arguments: Mapping[str, Json], invocation: Invocation) -> Json:
    expression = arguments["expression"]
    try:
        number = evaluated(expression)
        said = {"expression": expression, "result": written(number)}
    except NoResult as error:
        raise InvalidRequest(
            Reason.REASON_TOOL_ARGUMENTS,
            f"`expression` cannot be evaluated: {error}",
            violations=[("expression", str(error))],
        ) from error
    return said | _nearest(number)


def _nearest(number: Number) -> dict[str, float]:
    try:
        return {"number": float(number)}
    except OverflowError:
        return {}


CALCULATOR = Offer(TOOL, _calculate)
