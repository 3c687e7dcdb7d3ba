"""JSON Schemas (draft 2020-12) that strangers wrote: looked at when they come, then values against
them, what is wrong told by its path. Nothing is fetched: a reference that leads out of the schema
is an error of it. How long it may take is in `bounded_schema`. Pure.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.exceptions import ValidationError as Mismatch
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from servers.runtime.bounded_schema import REFERENCES, TooCostly, errors, unbounded, validator_of

MOST_VIOLATIONS = 10
MOST_CHARACTERS = 300
"""Of what is said of one violation: it may quote the value."""
LONGEST_NAME = 200

Violation: TypeAlias = tuple[str, str]
"""Where a value breaks a schema, from the value on, such as `.days[0].from`; empty is the value
itself. And how."""


class BadSchema(Exception):
    """A schema is none. The text begins with the path within it, `.properties.x: `, and says what
    is wrong."""


class Schema:
    """One schema, ready to check values. BadSchema if it is none."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        _check(schema)
        self._validator = validator_of(schema)

    def violations(self, value: object) -> list[Violation]:
        """How a value breaks the schema, at most ten of it, in the order of the schema; empty if
        it does not."""
        try:
            found = errors(self._validator, value, MOST_VIOLATIONS)
        except RecursionError:
            return [("", "is nested too deeply")]
        except TooCostly:
            return [("", "takes too long to be checked against its schema")]
        return [violation for error in found for violation in _told(error)][:MOST_VIOLATIONS]


def _check(schema: Mapping[str, Any]) -> None:
    try:
        Draft202012Validator.check_schema(schema)
        _require_references(schema)
    except SchemaError as error:
        raise BadSchema(f"{_path(error)}: {error.message[:MOST_CHARACTERS]}") from None
    except RecursionError:
        raise BadSchema(": is nested too deeply") from None
    if wrong := unbounded(schema):
        raise BadSchema(f": {wrong}")


def _require_references(schema: Mapping[str, Any]) -> None:
    """BadSchema if a reference of the schema, or of one within it, leads out of it."""
    whole = DRAFT202012.create_resource(schema)
    uri = str(schema.get("$id", ""))
    registry: Registry[Any] = Registry().with_resource(uri, whole).crawl()
    left = [(whole, registry.resolver(uri))]
    while left:
        part, resolver = left.pop()
        named = part.contents if isinstance(part.contents, Mapping) else {}
        for reference in (named[key] for key in REFERENCES if isinstance(named.get(key), str)):
            try:
                resolver.lookup(reference)
            # What is no URI, or leads into what is no schema, makes the library raise others.
            except (Unresolvable, LookupError, TypeError, ValueError):
                said = f"the reference {reference[:LONGEST_NAME]} leads nowhere within it"
                raise BadSchema(f": {said}") from None
        left += [(inner, resolver.in_subresource(inner)) for inner in part.subresources()]


def _told(error: Mismatch) -> Iterator[Violation]:
    where = _path(error)
    if error.validator == "required":
        for name in error.validator_value:
            # One error for each that is missing; it has the name in its message alone.
            if error.message.startswith(f"{name!r} "):
                yield f"{where}.{name}", "is missing"
    elif error.validator == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        for name in islice((n for n in error.instance if n not in known), MOST_VIOLATIONS):
            yield f"{where}.{name[:LONGEST_NAME]}", "is not known"
    else:
        yield where, error.message[:MOST_CHARACTERS]


def _path(error: SchemaError | Mismatch) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
