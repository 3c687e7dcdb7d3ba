"""Schemas of strangers: what they ask for ends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from servers.runtime.bounded_schema import TooCostly, errors, unbounded, validator_of

DOUBLING = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
NUMBERS = st.one_of(st.booleans(), st.integers(-2, 2), st.sampled_from([0.0, 1.0, 1.5, -0.0]))
VALUES = st.recursive(
    st.one_of(NUMBERS, st.none(), st.sampled_from(["", "1", "true"])),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner),
    max_leaves=4,
)


def wrong(schema: dict[str, Any], value: object) -> list[str]:
    """What is wrong with a value."""
    assert not unbounded(schema)
    return [error.message for error in errors(validator_of(schema), value, 10)]


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "a*a*a*a*a*b", r"^(\w+\s?)*$"])
def test_a_regular_expression_takes_no_longer_than_its_text(pattern: str) -> None:
    """Python's own engine would not come back from these."""
    assert wrong({"pattern": pattern}, "a" * 60_000 + "!")


def test_a_regular_expression_finds_what_it_is_to_find() -> None:
    """Anywhere in the text, unless it says otherwise; of what is no text it says nothing."""
    schema = {"pattern": "b[0-9]"}
    assert wrong(schema, "ab1c") == wrong(schema, 5) == []
    assert wrong(schema, "abc") == ["'abc' does not match 'b[0-9]'"]
    assert wrong({"pattern": "^[a-z]{2}$"}, "ab\n") != []


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"pattern": "(?=a)b"}, "look-around"),
        ({"properties": {"x": {"pattern": r"(a)\1"}}}, "backreferences"),
        ({"items": [{"anyOf": [{"pattern": "("}]}]}, "unclosed group"),
        ({"$defs": {"x": {"patternProperties": {"^a": {}}}}}, "`patternProperties`"),
    ],
)
def test_what_cannot_be_bounded_is_wrong_in_a_schema(schema: dict[str, Any], what: str) -> None:
    """Wherever it stands."""
    assert what in unbounded(schema)


def test_names_and_data_are_no_keywords() -> None:
    """A property may be called like one."""
    schema = {
        "properties": {"pattern": {"type": "string"}, "patternProperties": {}},
        "enum": [{"pattern": "("}],
        "default": {"patternProperties": 1},
    }
    assert unbounded(schema) == ""


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"$ref": "#/$defs/d0", "$defs": DOUBLING | {"d40": {"type": "null"}}}, None),
        ({"items": {"allOf": [True] * 10_000}}, [1] * 10_000),
        ({"items": {"allOf": [{"minimum": 0}] * 1000}}, [1] * 1_000),
    ],
)
def test_what_takes_too_many_steps_is_given_up(schema: dict[str, Any], value: object) -> None:
    """Whether by references or by plain numbers."""
    with pytest.raises(TooCostly):
        errors(validator_of(schema), value, 10)


def test_large_values_are_checked() -> None:
    """The steps are enough for what tools are given and give."""
    schema = {"items": {"type": "object", "required": ["a"], "properties": {"a": {"minimum": 0}}}}
    assert wrong(schema, [{"a": n, "b": "text"} for n in range(15_000)]) == []


@given(st.lists(VALUES, max_size=4))
def test_unique_items_are_what_jsonschema_takes_them_for(value: list[Any]) -> None:
    """True is not 1, and 1.0 is."""
    theirs = Draft202012Validator({"uniqueItems": True}).is_valid(value)
    assert (wrong({"uniqueItems": True}, value) == []) == theirs


def test_many_items_that_cannot_be_sorted_are_compared() -> None:
    """In no more than a moment."""
    assert wrong({"uniqueItems": True}, [{"n": n} for n in range(30_000)]) == []
