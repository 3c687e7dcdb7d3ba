"""What tools give: checked, and cut where it is too long."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Unavailable
from servers.tool_integration.results import encoded
from servers.tool_integration.tool import Told, Tool

ANY = Tool("x", "x", "x", {"type": "object"})
NUMBER = Tool("x", "x", "x", {"type": "object"}, result={"type": "number"})

LARGE = st.recursive(
    st.integers() | st.text(max_size=300) | st.booleans(),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=30), inner),
    max_leaves=60,
)


def nested(levels: int) -> Any:
    """A long text in a list in a list."""
    value: Any = "a" * 5000
    for _ in range(levels):
        value = [value]
    return value


@given(LARGE, st.integers(200, 2000))
def test_a_result_of_any_shape_fits_stays_json_and_is_cut_alike(value: Any, most: int) -> None:
    first = encoded(ANY, value, most)
    assert len(first.text.encode()) <= most
    assert encoded(ANY, value, most) == first
    read = json.loads(first.text)
    assert first.truncated or read == value


def test_text_is_cut_at_its_end_and_lists_too() -> None:
    """What stays is the beginning."""
    cut = json.loads(encoded(ANY, {"text": "a" * 5000, "rows": list(range(5000))}, 1000).text)
    assert cut["text"].startswith("aaaa")
    assert cut["text"].endswith("…")
    assert cut["rows"][:3] == [0, 1, 2]


def test_an_object_of_thousands_of_names_keeps_its_first() -> None:
    """It stays an object."""
    cut = encoded(ANY, {f"name{n}": n for n in range(5000)}, 1000)
    assert cut.truncated
    read = json.loads(cut.text)
    assert read == {f"name{n}": n for n in range(len(read))}
    assert len(read) > 50


def test_what_is_short_stays_whole_beside_what_is_long() -> None:
    """The long ones share what is left, wherever they are."""
    value = {"long": "a" * 5000, "other": "b" * 5000, "rows": [1, 2, 3], "last": "c" * 50}
    cut = json.loads(encoded(ANY, value, 1000).text)
    assert (cut["rows"], cut["last"]) == ([1, 2, 3], "c" * 50)
    assert min(len(cut["long"]), len(cut["other"])) > 350


@pytest.mark.parametrize("value", [{"k" * 5000: 1}, {7: "x" * 5000}, nested(200)], ids=len)
def test_what_cannot_be_cut_is_told_as_far_as_it_goes(value: Any) -> None:
    """A name that is too long, one that is no text, lists in lists."""
    cut = encoded(ANY, value, 1000)
    assert cut.truncated
    assert len(cut.text) > 30
    json.loads(cut.text)


def test_a_result_that_breaks_its_schema_is_refused() -> None:
    """Before anything is cut; the value is not told."""
    with pytest.raises(Unavailable) as caught:
        encoded(NUMBER, "a private text")
    assert caught.value.reason == Reason.REASON_TOOL_RESULT
    assert "private" not in caught.value.message
    assert not caught.value.may_retry


def test_what_else_is_known_goes_along() -> None:
    assert encoded(NUMBER, Told(4, {"pages": 2})).metadata == {"pages": 2}
