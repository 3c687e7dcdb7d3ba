"""Functions of the host that programs of Monty may call, beside what it has itself. Pure.

Each is quick whatever it is given: they run in the server, not in the jail.
"""

import csv
import math
import uuid
from collections.abc import Callable, Mapping, Sequence

MOST_NUMBERS = 10_000
MOST_TEXT = 100_000


def mean(numbers: object) -> float:
    """Arithmetic mean."""
    found = _numbers(numbers)
    return math.fsum(found) / len(found)


def median(numbers: object) -> float:
    """Middle value; the mean of the two in the middle if their number is even."""
    found = sorted(_numbers(numbers))
    middle = len(found) // 2
    return found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2


def stdev(numbers: object) -> float:
    """Standard deviation of a sample."""
    found = _numbers(numbers, least=2)
    centre = math.fsum(found) / len(found)
    return math.sqrt(math.fsum((each - centre) ** 2 for each in found) / (len(found) - 1))


def csv_rows(text: object) -> list[list[str]]:
    """Rows of a text with comma-separated values."""
    if not isinstance(text, str) or len(text) > MOST_TEXT:
        raise ValueError(f"csv_rows() takes a text of at most {MOST_TEXT} characters")
    try:
        return [row for row in csv.reader(text.splitlines()) if row]
    except csv.Error as error:
        raise ValueError("csv_rows() got a text that is not CSV") from error


def uuid4() -> str:
    """A random UUID."""
    return str(uuid.uuid4())


FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "mean": mean,
    "median": median,
    "stdev": stdev,
    "csv_rows": csv_rows,
    "uuid4": uuid4,
}


def _numbers(given: object, least: int = 1) -> Sequence[float]:
    if not isinstance(given, list | tuple) or not least <= len(given) <= MOST_NUMBERS:
        raise ValueError(f"expected a list of {least} to {MOST_NUMBERS} numbers")
    if not all(isinstance(each, int | float) for each in given):
        raise ValueError("expected numbers only")
    try:
        return [float(each) for each in given]
    except OverflowError:
        raise ValueError("a number is too large") from None
