"""The tool `units`: quantities in other units."""

import asyncio
import math
from collections.abc import Mapping
from decimal import Decimal

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest
from servers.tool_integration.built_in import measures
from servers.tool_integration.built_in.expression import NoResult, written
from servers.tool_integration.tool import Invocation, Json, Offer, Tool

UNIT = {"type": "string", "minLength": 1, "maxLength": measures.MOST_CHARACTERS}

TOOL = Tool(
    id="units",
    name="Unit conversion",
    description=(
        "Converts a quantity from one unit to another: lengths, areas, volumes, weights, times, "
        "speeds, temperatures, energies, powers, pressures, data sizes, angles and many more, "
        "metric and imperial, and units put together such as kg*m/s^2. No currencies."
    ),
    parameters={
        "type": "object",
        "properties": {
            "value": {"type": "number", "description": "How much of `unit`."},
            "unit": UNIT | {"description": "Its unit, such as mile, km/h, degF, lb, GiB."},
            "to": UNIT | {"description": "The unit that is wanted, such as kilometer."},
        },
        "required": ["value", "unit", "to"],
        "additionalProperties": False,
    },
    result={
        "type": "object",
        "properties": {
            "value": {"type": "number"},
            "result": {"type": "string", "description": "The same with its digits and its unit."},
            "from_unit": {"type": "string"},
            "unit": {"type": "string"},
        },
        "required": ["value", "result", "from_unit", "unit"],
        "additionalProperties": False,
    },
    calls_per_minute=120,
    timeout=10.0,
)
DIGITS = 12


async def _convert(arguments: Mapping[str, Json], invocation: Invocation) -> Json:
    await asyncio.to_thread(measures.load)
    try:
        value, source, target = measures.converted(
            Decimal(repr(arguments["value"])), arguments["unit"], arguments["to"]
        )
        # More digits than people measure with would be noise of the factors.
        shown = written(Decimal(f"{value:.{DIGITS}g}"))
        nearest = _nearest(shown)
    except (measures.NoConversion, NoResult) as error:
        raise InvalidRequest(Reason.REASON_TOOL_ARGUMENTS, str(error)) from error
    return {
        "value": nearest,
        "result": f"{shown} {target}",
        "from_unit": source,
        "unit": target,
    }


def _nearest(shown: str) -> float:
    found = float(shown)
    if not math.isfinite(found):
        raise measures.NoConversion("the result is too large")
    return found


UNITS = Offer(TOOL, _convert)
