"""Schemas that would keep Python busy for ever."""

from typing import Any

import pytest

from servers.runtime.bounded_schema import TooMuch, bounded, bounded_errors

DOUBLING: dict[str, Any] = {
    "$ref": "#/$defs/0",
    "$defs": {
        str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} if n < 60 else {} for n in range(61)
    },
}


def test_what_fits_and_what_does_not_is_told_as_ever() -> None:
    """A plain schema has its plain errors."""
    schema = bounded({"type": "object", "properties": {"n": {"type": "integer"}}})
    assert bounded_errors(schema, {"n": 1}, 10) == []
    (error,) = bounded_errors(schema, {"n": "one"}, 10)
    assert list(error.absolute_path) == ["n"]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (DOUBLING, {}),
        ({"uniqueItems": True}, [{"n": n} for n in range(5000)]),
        ({"items": {"allOf": [{}, {"type": "integer"}] * 500}}, [1] * 5000),
    ],
)
def test_what_takes_too_long_is_given_up(schema: dict[str, Any], value: object) -> None:
    """Whatever makes it so."""
    with pytest.raises(TooMuch):
        bounded_errors(bounded(schema), value, 10)
