"""JSON Schemas (2020-12) of inputs and results. Nothing is fetched: a reference that is not within
the schema is an error of it. Pure."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.exceptions import ValidationError as Mismatch
from referencing import Registry
from referencing.exceptions import Unresolvable

from servers.runtime.bounded_schema import TooMuch, bounded, bounded_errors

MOST_VIOLATIONS = 10
LONGEST_MESSAGE = 300


class BadSchema(Exception):
    """A schema is none. The text begins with the path within it, `.properties.x: `, and says what
    is wrong."""


class Schema:
    """One schema, ready to check values. BadSchema if it is none."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        _check(schema)
        self._validator = bounded(schema)

    def violations(self, value: object) -> list[tuple[str, str]]:
        """Where a value breaks the schema, and how; empty if it does not. At most ten."""
        found = list[tuple[str, str]]()
        try:
            for error in bounded_errors(self._validator, value, MOST_VIOLATIONS):
                found.append((_path(error), error.message[:LONGEST_MESSAGE]))
        except RecursionError:
            found.append(("", "is nested too deeply"))
        except TooMuch:
            found.append(("", "takes too long to check by this schema"))
        return sorted(found)


def has_expressions(schema: object) -> bool:
    """Whether a regular expression is anywhere in it."""
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, Mapping):
            expressions = part.get("patternProperties")
            if isinstance(part.get("pattern"), str) or isinstance(expressions, Mapping):
                return True
            left += part.values()
        elif isinstance(part, list):
            left += part
    return False


def _check(schema: Mapping[str, Any]) -> None:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise BadSchema(f"{_path(error)}: {error.message[:LONGEST_MESSAGE]}") from None
    except RecursionError:
        raise BadSchema(": is nested too deeply") from None
    for reference in _references(schema):
        try:
            _resolve(schema, reference)
        except Unresolvable:
            raise BadSchema(f": the reference {reference} leads nowhere within it") from None


def _references(value: object) -> list[str]:
    """What `$ref` and `$dynamicRef` name, anywhere in it."""
    left, found = [value], list[str]()
    while left:
        part = left.pop()
        if isinstance(part, dict):
            found += [part[k] for k in ("$ref", "$dynamicRef") if isinstance(part.get(k), str)]
            left += part.values()
        elif isinstance(part, list):
            left += part
    return found


def _resolve(schema: Mapping[str, Any], reference: str) -> None:
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(dict(schema))
    registry: Registry[Any] = Registry().with_resource(str(schema.get("$id", "")), resource)
    registry.resolver(str(schema.get("$id", ""))).lookup(reference)


def _path(error: SchemaError | Mismatch) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
