"""JSON Schemas (draft 2020-12) that strangers wrote, in bounded time. Pure.

Regular expressions run in Rust's engine, whose time grows with the text and no faster; what it
does not know (look-around, references back) is wrong in a schema. What a value takes is counted in
steps: references can double it level by level. Nothing is fetched.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice
from typing import Any, TypeAlias

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from pydantic_core import SchemaError as BadPattern
from pydantic_core import SchemaValidator, core_schema
from pydantic_core import ValidationError as NoMatch
from referencing import Registry

Keyword: TypeAlias = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]

MOST_STEPS = 3_000_000
"""A few seconds in all; a list of 20,000 small objects takes fewer."""
STEPS = 20
"""Of a keyword, beside one for each element that it looks at."""
REFERENCE_STEPS = 200
REFERENCES = ("$ref", "$dynamicRef")
NAMED = ("properties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose value has schemas by name."""
DATA = ("const", "enum", "default", "examples")
"""Keywords whose value is no schema."""

_left: ContextVar[list[int]] = ContextVar("steps_left")


class TooCostly(Exception):
    """A value takes too many steps to be checked."""


def errors(validator: Draft202012Validator, value: object, most: int) -> list[ValidationError]:
    """What is wrong with a value, so many errors at most. TooCostly; RecursionError if the schema
    has no end; Unresolvable of `referencing` if it refers to what is not in it."""
    token = _left.set([MOST_STEPS])
    try:
        return list(islice(validator.iter_errors(value), most))
    finally:
        _left.reset(token)


def validator_of(schema: Mapping[str, Any]) -> Draft202012Validator:
    """A validator for `errors`."""
    nothing: Registry[Any] = Registry()
    validator: Draft202012Validator = _Bounded(schema, registry=nothing)
    return validator


def unbounded(schema: Mapping[str, Any]) -> str:
    """Which regular expression of a schema cannot be run in bounded time; empty if none."""
    for keyword, value in _keywords(schema):
        if keyword == "patternProperties":
            return "`patternProperties` is not supported; name the properties"
        if keyword == "pattern" and isinstance(value, str):
            try:
                _pattern(value)
            except BadPattern as error:
                why = str(error).rpartition("error: ")[2].strip()
                return f"the pattern {value[:100]} cannot be run in bounded time: {why[:200]}"
    return ""


def _keywords(schema: object) -> Iterator[tuple[str, Any]]:
    """Every keyword of a schema and of those within it."""
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left += part
        for key, value in part.items() if isinstance(part, Mapping) else ():
            yield key, value
            if key in NAMED and isinstance(value, Mapping):
                left += value.values()
            elif key not in DATA:
                left.append(value)


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


def _matches(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str):
        try:
            _pattern(pattern).validate_python(value)
        except NoMatch:
            yield ValidationError(f"{value!r} does not match {pattern!r}")


def _unique(_validator: Any, wanted: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """As jsonschema has it, in time that grows with the list and not with its square."""
    if not wanted or not isinstance(value, list):
        return
    if len({json.dumps(_one_spelling(each), sort_keys=True) for each in value}) < len(value):
        yield ValidationError("has non-unique elements")


def _one_spelling(value: Any) -> Any:
    """A value whose numbers are spelled in one way: 1.0 is 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_one_spelling(each) for each in value]
    if isinstance(value, dict):
        return {key: _one_spelling(each) for key, each in value.items()}
    return value


def _refused(_validator: Any, _value: Any, _instance: Any, _schema: Any) -> None:
    raise TooCostly


def _counted(name: str, keyword: Keyword) -> Keyword:
    steps = REFERENCE_STEPS if name in REFERENCES else STEPS

    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        left = _left.get()
        left[0] -= steps + _size(value) + _size(instance)
        if left[0] < 0:
            raise TooCostly
        return keyword(validator, value, instance, schema)

    return counted


def _size(value: Any) -> int:
    return len(value) if isinstance(value, list | dict) else 0


_OWN = {"pattern": _matches, "uniqueItems": _unique, "patternProperties": _refused}
_KEYWORDS = dict(Draft202012Validator.VALIDATORS) | _OWN
_Bounded = extend(
    Draft202012Validator,
    {name: _counted(name, how) for name, how in _KEYWORDS.items()},
)
