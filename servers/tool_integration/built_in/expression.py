"""Expressions as a calculator reckons them: whole numbers exactly, others to 34 digits.

Bounded in every direction: the text, each number on the way, and what there is to call. Fifty
digits are kept on the way, so that what is rounded at the end is right. Pure.
"""

import ast
import math
import warnings
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException, localcontext
from typing import Any, TypeAlias

from simpleeval import InvalidExpression, SimpleEval

Number: TypeAlias = int | Decimal

MOST_CHARACTERS = 1000
MOST_BITS = 12_000
"""Of a whole number: about 3,600 digits, fewer than Python turns into text."""
SIGNS = {0xD7: "*", 0xB7: "*", 0xF7: "/", 0x2212: "-", 0x2013: "-", 0x3C0: "pi"}
"""The times, dot, division and minus signs, the en dash, and the letter pi."""
WORKING = Context(prec=50, Emax=9999, Emin=-9999)
SHOWN = Context(prec=34, Emax=9999, Emin=-9999)


class NoResult(Exception):
    """An expression has no result; the message says why, to whoever wrote it."""


def evaluated(expression: str) -> Number:
    """The number that an expression stands for, rounded to 34 digits unless it is whole. NoResult
    if it is none, or too large."""
    if len(expression) > MOST_CHARACTERS:
        raise NoResult(f"it is longer than {MOST_CHARACTERS} characters")
    try:
        with localcontext(WORKING), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(_as_python(expression), mode="eval")
            found = _Calculator().eval(expression, previously_parsed=tree.body)
    except NoResult:
        raise
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise NoResult("it is no expression, such as (2 + 3) * 4") from error
    except InvalidExpression as error:
        raise NoResult(
            "there are only numbers (1000, not 1,000), + - * / // % ** and ^, parentheses, "
            f"{', '.join(NAMES)}, and the functions that the tool's description lists"
        ) from error
    except ZeroDivisionError as error:
        raise NoResult("it divides by zero") from error
    except (DecimalException, ArithmeticError, ValueError, TypeError) as error:
        raise NoResult("it has no result, or one that is too large") from error
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        raise NoResult("it is no number")
    return SHOWN.plus(found) if isinstance(found, Decimal) else found


def written(number: Number) -> str:
    """A number as people write it: no exponent up to 34 places, no zeros at the end."""
    if isinstance(number, int):
        return str(number)
    if not number.is_finite():
        raise NoResult("it has no result")
    if number == number.to_integral_value() and abs(number) < Decimal("1e34"):
        return str(int(number))
    plain = number.normalize(SHOWN)
    return f"{plain:f}" if -34 < plain.adjusted() < 34 else str(plain)


def _as_python(expression: str) -> str:
    """`^` is a power, as on a calculator, and typographic signs are what they look like."""
    return expression.translate(SIGNS).replace("^", "**").strip()


def _within(number: Any) -> Number:
    if isinstance(number, int) and number.bit_length() > MOST_BITS:
        raise NoResult("a number on the way is too large")
    if not isinstance(number, int | Decimal) or isinstance(number, bool):
        raise NoResult("only numbers can be reckoned with")
    return number


def _divided(a: Number, b: Number) -> Number:
    if isinstance(a, int) and isinstance(b, int) and b != 0 and a % b == 0:
        return a // b
    return Decimal(a) / Decimal(b)


def _powered(a: Number, b: Number) -> Number:
    if isinstance(a, int) and isinstance(b, int) and b >= 0:
        if a.bit_length() * b > MOST_BITS and abs(a) > 1:
            raise NoResult("a power is too large")
        return int(a**b)
    if a < 0 and b != int(b):
        raise NoResult("a negative number has no such power among the real ones")
    return Decimal(a) ** Decimal(b)


def _floored(a: Number, b: Number) -> Number:
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    return math.floor(Decimal(a) / Decimal(b))


def _remainder(a: Number, b: Number) -> Number:
    """With the sign of the divisor, for decimals as for whole numbers."""
    if isinstance(a, int) and isinstance(b, int):
        return a % b
    rest = Decimal(a) % Decimal(b)
    return rest + Decimal(b) if rest and (rest < 0) != (b < 0) else rest


def _whole(number: Number) -> int:
    if number != int(number):
        raise NoResult("a whole number is wanted")
    return int(number)


def _small(number: Number, most: int) -> int:
    whole = _whole(number)
    if not 0 <= whole <= most:
        raise NoResult(f"a whole number from 0 to {most} is wanted")
    return whole


def _by_float(function: Callable[..., float]) -> Callable[..., Decimal]:
    """A function of the mathematics library, which knows 15 digits."""
    return lambda *numbers: SIXTEEN.create_decimal(repr(function(*(float(n) for n in numbers))))


SIXTEEN = Context(prec=15)


def _rounded(number: Number, places: Number = 0) -> Number:
    """As taught at school: half goes up, away from zero."""
    places = _whole(places)
    if not -100 <= places <= 100:
        raise NoResult("from -100 to 100 places can be kept")
    at = Decimal(1).scaleb(-places)
    return Decimal(number).quantize(at, rounding=ROUND_HALF_UP, context=Context(prec=4000))


def _root(number: Number) -> Number:
    if isinstance(number, int) and number >= 0 and math.isqrt(number) ** 2 == number:
        return math.isqrt(number)
    return Decimal(number).sqrt()


def _logarithm(number: Number, to: Number | None = None) -> Number:
    return Decimal(number).ln() / (1 if to is None else Decimal(to).ln())


def _mean(*numbers: Number) -> Number:
    return _divided(sum(numbers), len(numbers))


def _median(*numbers: Number) -> Number:
    row, middle = sorted(numbers), len(numbers) // 2
    return row[middle] if len(row) % 2 else _divided(row[middle - 1] + row[middle], 2)


_PI = Decimal("3.14159265358979323846264338327950288419716939937511")
NAMES: Mapping[str, Decimal] = {
    "pi": _PI,
    "tau": 2 * _PI,
    "e": Decimal("2.71828182845904523536028747135266249775724709369996"),
}

FUNCTIONS: Mapping[str, Callable[..., Number]] = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": _rounded,
    "min": min,
    "max": max,
    "sum": lambda *numbers: sum(numbers),
    "mean": _mean,
    "median": _median,
    "sqrt": _root,
    "cbrt": _by_float(math.cbrt),
    "exp": lambda n: Decimal(n).exp(),
    "ln": _logarithm,
    "log": _logarithm,
    "log10": lambda n: Decimal(n).log10(),
    "log2": lambda n: _logarithm(n, 2),
    "factorial": lambda n: math.factorial(_small(n, 1000)),
    "comb": lambda n, k: math.comb(_small(n, 1000), _small(k, 1000)),
    "perm": lambda n, k: math.perm(_small(n, 1000), _small(k, 1000)),
    "gcd": lambda *numbers: math.gcd(*map(_whole, numbers)),
    "lcm": lambda *numbers: math.lcm(*map(_whole, numbers)),
    "degrees": lambda n: Decimal(n) * 180 / _PI,
    "radians": lambda n: Decimal(n) * _PI / 180,
    **{
        name: _by_float(getattr(math, name))
        for name in ("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh")
    },
    "hypot": _by_float(math.hypot),
}
"""What there is to call. `log` is the natural one, or to a base: `log(8, 2)`."""

OPERATORS: Mapping[type[ast.AST], Callable[..., Number]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: _divided,
    ast.FloorDiv: _floored,
    ast.Mod: _remainder,
    ast.Pow: _powered,
    ast.USub: lambda a: -a,
    ast.UAdd: lambda a: +a,
}


class _Calculator(SimpleEval):  # type: ignore[misc]  # it has no types of its own
    """Numbers, names, operators and calls; nothing else of the language."""

    def __init__(self) -> None:
        super().__init__(dict(OPERATORS), dict(FUNCTIONS), dict(NAMES))
        kept = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Name)
        self.nodes: dict[type[ast.AST], Any] = {kind: self.nodes[kind] for kind in kept}
        self.nodes[ast.Constant] = _constant

    def _eval(self, node: ast.AST) -> Any:
        found = super()._eval(node)
        return found if isinstance(node, ast.Name) else _within(found)


def _constant(node: ast.Constant) -> Number:
    if isinstance(node.value, float):
        # As it was written, not as the nearest binary fraction.
        return Decimal(repr(node.value))
    if isinstance(node.value, bool) or not isinstance(node.value, int):
        raise NoResult("only numbers can be reckoned with")
    return node.value
