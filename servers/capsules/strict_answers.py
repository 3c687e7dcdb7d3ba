"""Answers of models in one strict form: JSON that fits a type, or nothing. Pure."""

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

MOST_CHARACTERS = 60_000
"""An answer is not read any further."""

_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n\s*```\s*\Z", re.DOTALL)


class NotOfTheForm(Exception):
    """An answer that is not taken; the text says why, so that a model can mend it."""


def decoded(answer: str, form: type[T]) -> T:
    """The answer as `form`, a code fence around it or none. NotOfTheForm says what is wrong: no
    JSON, or the path of the field that does not fit."""
    if len(answer) > MOST_CHARACTERS:
        raise NotOfTheForm(f"it is longer than {MOST_CHARACTERS} characters")
    fenced = _FENCED.match(answer)
    try:
        return msgspec.json.decode(fenced[1] if fenced else answer.strip(), type=form)
    except msgspec.ValidationError as error:
        raise NotOfTheForm(str(error)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise NotOfTheForm("it is not one JSON value and nothing else") from error
