"""The small pure parts: pages, queries, ids, the call's context."""

import base64
import json
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.runtime import call
from servers.runtime.call import Call, Principal, acting, current, enter, limit
from servers.runtime.errors import InvalidRequest
from servers.runtime.ids import new_correlation_id, new_id
from servers.runtime.paging import place_of, size_of, token_of
from servers.runtime.queries import Queries

INT64 = st.integers(-(2**63) + 1, 2**63 - 1)


@given(st.lists(st.text() | INT64, min_size=1))
def test_a_page_token_names_its_place(place: list[str | int]) -> None:
    assert place_of(token_of(*place)) == place


@pytest.mark.parametrize("rubbish", ["x", "é", "{}", "====", "\0", "W10x", "bnVsbA", "W1tdXQ"])
def test_rubbish_is_no_page_token(rubbish: str) -> None:
    with pytest.raises(InvalidRequest, match="page_token"):
        place_of(rubbish)


@given(st.text(min_size=1))
def test_no_text_makes_reading_a_page_token_fail(text: str) -> None:
    """By chance it may be a token; else it is refused."""
    with suppress(InvalidRequest):
        assert isinstance(place_of(text), list)


@pytest.mark.parametrize("foreign", [[1], ["a", "b"], [], [True], [None], [["a"]], {"a": 1}, 5])
def test_a_token_of_another_list_is_refused(foreign: object) -> None:
    """Where the list says what its places are made of."""
    token = base64.urlsafe_b64encode(json.dumps(foreign).encode()).decode()
    with pytest.raises(InvalidRequest):
        place_of(token, str)
    assert place_of(token_of("a"), str) == ["a"]


def test_no_token_is_the_first_page() -> None:
    assert place_of("") is None


def test_a_page_has_fifty_rows_and_never_more_than_two_hundred() -> None:
    assert [size_of(n) for n in (0, 1, 200, 1000)] == [50, 1, 200, 200]


def test_queries_are_blocks_by_name(tmp_path: Path) -> None:
    file = tmp_path / "queries.sql"
    file.write_text("-- name: one\nSELECT 1;\n\n-- name: two\n-- why\nSELECT\n  2;\n")
    queries = Queries(file)
    assert (queries.one, queries.two) == ("SELECT 1", "-- why\nSELECT\n  2")
    with pytest.raises(AttributeError, match="three"):
        _ = queries.three


def test_ids_have_their_kind_and_sort_by_time() -> None:
    ids = [new_id("turn") for _ in range(1000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    assert all(len(i) == len("turn_") + 32 for i in ids)
    assert len(new_correlation_id()) == 32


def test_outside_of_a_call_there_is_one_with_an_id() -> None:
    """The same one for the whole of a task."""

    def twice() -> tuple[Call, Call]:
        return current(), current()

    first, second = copy_context().run(twice)
    assert first is second
    assert first.principal is None


def test_acting_ends_with_its_block() -> None:
    other = Call("other")

    def act() -> list[str]:
        enter(Call("mine"))
        with acting(other):
            inside = current().correlation_id
        return [inside, current().correlation_id]

    assert copy_context().run(act) == ["other", "mine"]


def test_a_limit_changes_the_call_of_this_context_only() -> None:
    def change() -> float | None:
        limit(1.5)
        return current().deadline

    assert copy_context().run(change) == 1.5
    assert current().deadline is None


def test_a_method_without_a_user_has_no_principal() -> None:
    with pytest.raises(LookupError):
        copy_context().run(call.principal)


def test_an_administrator_lacks_no_role() -> None:
    wanted = frozenset({"chat.user", "chat.tools.code"})
    assert Principal("u", "t", frozenset({"chat.admin"})).missing(wanted) == frozenset()
    assert Principal("u", "t", frozenset({"chat.user"})).missing(wanted) == {"chat.tools.code"}


def test_a_call_without_a_deadline_has_no_remaining_time() -> None:
    assert Call("x").remaining() is None
