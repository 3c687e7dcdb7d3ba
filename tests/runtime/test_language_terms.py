"""Words that can be compared."""

import pytest

from servers.runtime.language.terms import coverage, likeness, singular, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("What are the opening hours of the Libraries?", ["opening", "hour", "library"]),
        ("Anna's cats, 3 of them", ["anna", "cat", "3"]),
        ("don't", []),
        ("Wo ist der Bahnhof und was kostet die Fahrt", ["bahnhof", "kostet", "fahrt"]),
        ("RAM", ["ram"]),
    ],
)
def test_terms_are_what_a_text_is_about(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("queries", "query"),
        ("boxes", "boxe"),
        ("shoes", "shoe"),
        ("glass", "glass"),
        ("bus", "bus"),
        ("cars", "car"),
        ("is", "is"),
    ],
)
def test_a_plural_is_taken_off_as_harman_does(word: str, expected: str) -> None:
    assert singular(word) == expected


def test_coverage_and_likeness_are_parts_of_one() -> None:
    assert coverage(["a", "b"], ["b", "c"]) == 0.5
    assert coverage([], ["a"]) == 0.0
    assert likeness(["a", "b"], ["b", "c"]) == pytest.approx(1 / 3)
    assert likeness([], []) == 0.0
