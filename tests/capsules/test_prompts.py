"""Templates are looked at in the server without anything of them being computed there."""

import tracemalloc

import pytest

from servers.capsules.prompts import LONGEST_TEMPLATE, Prompts


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 50000000 }}",
        "{% set x = ['a'] * 50000000 %}",
        "{{ 'a' | center(50000000) }}",
        "{{ ('%050000000d' % 1) ~ 'a' }}",
        "{% if 'a' * 50000000 is string %}{% endif %}",
    ],
)
def test_constants_are_not_computed(template: str) -> None:
    """However large they would be."""
    prompts = Prompts({"x": template})
    tracemalloc.start()
    try:
        assert prompts.first_error() == ""
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a\n{{ b", "prompts/x.j2 line 2: unexpected end of template, expected 'end of print"),
        ("{{" + "(" * 5000, "prompts/x.j2: is nested too deeply"),
        ("{{" + "1" * 5000 + "}}", "prompts/x.j2: has a number that is too long"),
        ("a" * (LONGEST_TEMPLATE + 1), "prompts/x.j2: is longer than 100000 characters"),
    ],
)
def test_what_is_no_template_is_told(template: str, message: str) -> None:
    """By file, and line where there is one."""
    assert Prompts({"x": template}).first_error().startswith(message)
