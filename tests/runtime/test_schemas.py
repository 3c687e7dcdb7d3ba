"""Schemas are looked at when they come; what breaks them is told by its path."""

from typing import Any

import pytest

from servers.runtime.schemas import BadSchema, Schema

DAY = {
    "type": "object",
    "properties": {"from": {"type": "integer"}},
    "required": ["from", "to"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/day", "$defs": {"day": DAY}},
        {"$ref": "#/definitions/day", "definitions": {"day": DAY}},
        {"$ref": "#day", "$defs": {"day": {"$anchor": "day"}}},
        {"$dynamicRef": "#day", "$defs": {"day": {"$dynamicAnchor": "day"}}},
        {"$id": "http://x/a", "$ref": "b", "$defs": {"b": {"$id": "b"}}},
        {"$defs": {"b": {"$id": "http://x/b", "$ref": "#/$defs/c", "$defs": {"c": DAY}}}},
        {"default": {"$ref": "http://x/"}, "enum": [{"$ref": "#/nowhere"}]},
        {"properties": {"$ref": {"type": "string"}}},
        {"items": False},
    ],
)
def test_a_reference_that_stays_within_its_schema_is_one(schema: dict[str, Any]) -> None:
    """Also one of a schema within it that has an address; data may look as it likes."""
    assert Schema(schema)


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ({"$ref": "http://127.0.0.1:9/x"}, ": the reference http://127.0.0.1:9/x leads nowhere"),
        ({"items": {"$ref": "#/$defs/day"}}, r": the reference #/\$defs/day leads nowhere"),
        ({"anyOf": [{"$dynamicRef": "#day"}]}, ": the reference #day leads nowhere"),
        ({"$ref": "http://["}, r": the reference http://\[ leads nowhere"),
        ({"$ref": "#/required/x", "required": ["a"]}, ": the reference #/required/x leads nowhere"),
        ({"properties": {"n": {"type": "numbr"}}}, r"\.properties\.n\.type: 'numbr' is not valid"),
        ({"properties": {"n": {"pattern": "(?=a)b"}}}, r": the pattern \(\?=a\)b cannot be run"),
    ],
)
def test_a_schema_that_is_none_is_noticed_at_once(schema: dict[str, Any], wrong: str) -> None:
    """Not when the first value comes."""
    with pytest.raises(BadSchema, match=f"^{wrong}"):
        Schema(schema)


def test_a_schema_that_is_too_deep_is_none() -> None:
    """Python's stack has an end."""
    schema: dict[str, Any] = {}
    for _ in range(5_000):
        schema = {"not": schema}
    with pytest.raises(BadSchema, match="nested too deeply"):
        Schema(schema)


def test_what_breaks_a_schema_is_told_by_its_path() -> None:
    """What is missing and what is not known by its name."""
    schema = Schema({"properties": {"days": {"type": "array", "items": DAY}}})
    value = {"days": [{"from": "nine", "to": 5}, {"at": 1}]}
    assert sorted(schema.violations(value)) == [
        (".days[0].from", "'nine' is not of type 'integer'"),
        (".days[0].to", "is not known"),
        (".days[1].at", "is not known"),
        (".days[1].from", "is missing"),
        (".days[1].to", "is missing"),
    ]
    assert schema.violations({"days": []}) == []
