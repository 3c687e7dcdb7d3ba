"""The tool `units`."""

from decimal import Decimal
from typing import Any

import pytest

from kari.errors.v1.errors_pb2 import Reason
from servers.tool_integration.built_in import measures
from tests.tool_integration.bench import Bench


@pytest.mark.parametrize(
    ("value", "unit", "to", "result"),
    [
        ("1", "inch", "cm", "2.54"),
        ("26.2", "miles", "km", "42.1648128"),
        ("20", "degC", "°F", "68"),
        ("72", "F", "celsius", "22.2222222222"),
        ("100", "km/h", "mph", "62.1371192237"),
        ("3", "GiB", "MB", "3221.225472"),
        ("8", "fl oz", "ml", "236.588"),
        ("1", "acre", "m^2", "4046.87260987"),
        ("9.81", "m/s^2", "ft/s^2", "32.1850393701"),
        ("1", "kWh", "MJ", "3.6"),
        ("11", "stone", "kg", "69.85322623"),
        ("180", "deg", "rad", "3.14159265359"),
        ("90", "min", "hour", "1.5"),
    ],
)
def test_quantities_are_converted(value: str, unit: str, to: str, result: str) -> None:
    measures.load()
    found = measures.converted(Decimal(value), unit, to)[0]
    assert float(found) == pytest.approx(float(result), rel=1e-5)


@pytest.mark.parametrize(
    ("unit", "to", "why"),
    [
        ("kg", "m", r"`kg` measures \[mass\], `m` \[length\]"),
        ("smoot_of_the_sea", "m", "no unit that is known"),
        ("m**99", "m", "too large a power"),
        ("m**999999999", "m", "too large a power"),
        ("2**9**9**9", "m", "no unit"),
        ("m" * 61, "m", "no unit"),
        ("__import__('os')", "m", "no unit"),
        ("m; m", "m", "no unit"),
        (")(", "m", "no unit"),
        ("m//m", "m", "no unit|power|measures"),
        ("5 m", "m", "no unit"),
    ],
)
def test_what_cannot_be_converted_is_said(unit: str, to: str, why: str) -> None:
    """Bounded: no powers of powers, no code."""
    measures.load()
    with pytest.raises(measures.NoConversion, match=why):
        measures.converted(Decimal(1), unit, to)


async def test_the_tool_answers_with_the_whole_names(bench: Bench) -> None:
    """As a number, and as a text with its unit."""
    assert await bench.value("units", value=1, unit="inch", to="cm") == {
        "value": 2.54,
        "result": "2.54 centimeter",
        "from_unit": "inch",
        "unit": "centimeter",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        {"value": 1, "unit": "kg", "to": "m"},
        {"value": 1e308, "unit": "km", "to": "nm"},
        {"value": "one", "unit": "kg", "to": "g"},
        {"value": 1, "unit": "", "to": "g"},
        {"value": 1, "unit": "dB", "to": "W"},
    ],
)
async def test_mistakes_are_told(bench: Bench, arguments: dict[str, Any]) -> None:
    result = await bench.call("units", arguments)
    assert result.error.reason == Reason.REASON_TOOL_ARGUMENTS
