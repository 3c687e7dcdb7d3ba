"""JSON Schema, draft 2020-12, that comes to an end: schemas of others can be made so that checking
a short value takes for ever. Pure."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry

MOST_STEPS = 200_000
"""Keywords that are looked at for one value; a second or so."""

_NOWHERE: Registry[Any] = Registry()
_left: ContextVar[int] = ContextVar("steps_left", default=MOST_STEPS)

Check = Callable[..., Any]


class TooMuch(Exception):
    """A value would take too long to check by this schema."""


def bounded_errors(validator: Any, value: object, most: int) -> list[ValidationError]:
    """At most so many of the errors of a value, by a validator of `bounded`. TooMuch if that takes
    too long, RecursionError if it goes too deep."""
    before = _left.set(MOST_STEPS)
    try:
        found = list[ValidationError]()
        for error in validator.iter_errors(value):
            found.append(error)
            if len(found) == most:
                break
        return found
    finally:
        _left.reset(before)


def bounded(schema: Mapping[str, Any]) -> Any:
    """A validator of the schema, for `bounded_errors`. It refers to itself alone: without this,
    jsonschema would fetch what it refers to."""
    return _Bounded(schema, registry=_NOWHERE)


def _counted(keyword: str, check: Check) -> Check:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        steps = 1
        if keyword == "uniqueItems" and isinstance(instance, list):
            # Items that cannot be sorted are compared each with each.
            steps += len(instance) ** 2 // 10
        left = _left.get() - steps
        _left.set(left)
        if left < 0:
            raise TooMuch
        return check(validator, value, instance, schema)

    return counted


_Bounded: Any = extend(
    Draft202012Validator,
    {name: _counted(name, check) for name, check in Draft202012Validator.VALIDATORS.items()},
)
