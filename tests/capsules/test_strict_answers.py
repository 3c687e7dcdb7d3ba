"""Answers of models in one strict form."""

import msgspec
import pytest

from servers.capsules.strict_answers import MOST_CHARACTERS, NotOfTheForm, decoded


class Form(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    count: int = 0


@pytest.mark.parametrize(
    "answer",
    [
        '{"name": "a", "count": 2}',
        '```json\n{"name": "a", "count": 2}\n```',
        ' {"name":"a","count":2}\n',
    ],
)
def test_an_answer_of_the_form_is_taken(answer: str) -> None:
    assert decoded(answer, Form) == Form("a", 2)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("", "not one JSON value"),
        ("I cannot help with that.", "not one JSON value"),
        ('Sure! {"name": "a"}', "not one JSON value"),
        ('{"name": "a"', "not one JSON value"),
        ('{"name": "a"} and more', "not one JSON value"),
        ('{"name": 1}', r"\$\.name"),
        ('{"count": 1}', "name"),
        ('{"name": "a", "tool": "rm"}', "unknown field"),
        ("[" * 100_000, "longer than"),
        ("[" * (MOST_CHARACTERS - 1), "not one JSON value|array"),
        ('{"name": "\ud800"}', "not one JSON value"),
    ],
)
def test_anything_else_is_refused_and_told(answer: str, told: str) -> None:
    with pytest.raises(NotOfTheForm, match=told):
        decoded(answer, Form)
