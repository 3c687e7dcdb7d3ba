"""Quantities in other units, by pint. Loading its units takes a second: it is done when they are
first asked for, in a thread. Pure."""

import re
from decimal import Decimal, DecimalException
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pint import UnitRegistry

MOST_CHARACTERS = 60
MOST_POWER = 12
UNIT = re.compile(r"[A-Za-zµμΩ°Ååé²³·*/^() _0-9.-]+")

_loading = Lock()


class NoConversion(Exception):
    """There is no answer; the message says why, to whoever asked."""


@lru_cache(maxsize=1)
def _loaded() -> "UnitRegistry[Any]":
    from pint import UnitRegistry

    # Without the cache on disk: it would be written under the user's home.
    return UnitRegistry(non_int_type=Decimal, cache_folder=None)


def load() -> None:
    """Loads the units; returns at once if they are loaded."""
    with _loading:
        _loaded()


def converted(value: Decimal, unit: str, to: str) -> tuple[Decimal, str, str]:
    """The value in another unit, and the whole names of both units. NoConversion if a unit is none,
    or the two measure different things."""
    from pint.errors import DimensionalityError, OffsetUnitCalculusError

    source, target = _unit(unit), _unit(to)
    try:
        found = _loaded().Quantity(value, source).to(target).magnitude
        found = Decimal(str(found)) if isinstance(found, float) else Decimal(found)
    except DimensionalityError as error:
        raise NoConversion(
            f"`{unit}` measures {_dimension(source)}, `{to}` {_dimension(target)}"
        ) from error
    except OffsetUnitCalculusError as error:
        raise NoConversion("degrees of temperature cannot be part of another unit") from error
    except (DecimalException, ArithmeticError, ValueError, TypeError) as error:
        raise NoConversion("the number is too large or too small") from error
    return found, str(source), str(target)


def _unit(text: str) -> Any:
    if len(text) > MOST_CHARACTERS or not UNIT.fullmatch(text):
        raise NoConversion(f"`{text[:MOST_CHARACTERS]}` is no unit")
    try:
        # What is behind a power has to be small, and a name may not be a number.
        found = _loaded().parse_units(ALIASES.get(text.strip().lower(), text))
    except Exception as error:  # it parses with Python's tokenizer, which fails in many ways
        raise NoConversion(f"`{text}` is no unit that is known") from error
    powers: list[Any] = list(found._units.values())
    if any(abs(power) > MOST_POWER for power in powers):
        raise NoConversion(f"`{text}` has too large a power")
    return found


def _dimension(unit: Any) -> str:
    return str(unit.dimensionality).strip() or "nothing but numbers"


ALIASES = {
    "fl oz": "fluid_ounce",
    "fl. oz.": "fluid_ounce",
    "floz": "fluid_ounce",
    "sq ft": "foot ** 2",
    "sqft": "foot ** 2",
    "sq m": "meter ** 2",
    "sqm": "meter ** 2",
    "kmh": "kilometer / hour",
    "kph": "kilometer / hour",
    "km/h": "kilometer / hour",
    "c": "degC",
    "f": "degF",
    "celsius": "degC",
    "fahrenheit": "degF",
    "°c": "degC",
    "°f": "degF",
    "inches": "inch",
    "feet": "foot",
    "tablespoons": "tablespoon",
    "teaspoons": "teaspoon",
}
"""What people write and pint calls otherwise. `c` alone is a temperature to them, not the speed of
light, and `f` no farad."""
