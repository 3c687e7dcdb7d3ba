"""Sliding windows and closings, as the tables that they are."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.closing import CLOSINGS, comes_back
from gateway.tally import Tally
from gateway.window import Window

MINUTE = Window(10, 60.0, "minute")


def test_as_many_as_allowed_are_let_through() -> None:
    """And not one more."""
    tally = Tally()
    waits = [tally.count([("ada", MINUTE)], 30.0)[0] for _ in range(12)]
    assert waits[:10] == [0.0] * 10
    assert all(waits[10:])


def test_what_is_refused_does_not_count() -> None:
    """Trying too often does not make the wait longer."""
    tally = Tally()
    for _ in range(50):
        tally.count([("ada", MINUTE)], 59.0)
    assert tally.count([("ada", MINUTE)], 120.0) == [0.0]


def test_a_refusal_by_one_window_counts_in_none() -> None:
    """A user at the limit does not eat up the tenant's."""
    tally, tenant = Tally(), Window(11, 60.0, "minute")
    for _ in range(20):
        tally.count([("ada", MINUTE), ("tenant", tenant)], 30.0)
    assert tally.count([("bob", MINUTE), ("tenant", tenant)], 30.0) == [0.0, 0.0]


@given(
    st.integers(1, 50),
    st.integers(0, 50),
    st.integers(1, 50),
    st.floats(0, 600, allow_nan=False),
)
def test_after_the_wait_it_fits(limit: int, before: int, current: int, now: float) -> None:
    """`retry_after` is true, and never longer than two windows."""
    window = Window(limit, 60.0, "minute")
    before, current = min(before, limit), min(current, limit + 1)
    wait = window.wait(before, current, now)
    assert 0.0 <= wait <= 120.0
    if wait:
        later = now + wait + 1e-6
        shift = window.index(later) - window.index(now)
        counts = {0: (before, current), 1: (current - 1, 1), 2: (0, 1)}[shift]
        assert window.wait(*counts, later) <= 1e-3


def test_the_number_says_whether_to_come_back() -> None:
    """3000-3499 and 4000-4499, and accidents of the way."""
    codes = (1000, 1001, 1002, 1006, 1008, 1009, 1011, 1012, 3000, 3499, 3500, 4000, 4499, 4500)
    back = [code for code in codes if comes_back(code)]
    assert back == [1001, 1006, 1011, 1012, 3000, 3499, 4000, 4499]


def test_closings_differ_and_fit_into_a_close_frame() -> None:
    """RFC 6455 leaves 123 bytes for the reason."""
    assert len({closing.code for closing in CLOSINGS}) == len(CLOSINGS)
    assert all(len(closing.reason.encode()) <= 123 for closing in CLOSINGS)
    assert all(comes_back(closing.code) == (closing.code < 3500) for closing in CLOSINGS)
