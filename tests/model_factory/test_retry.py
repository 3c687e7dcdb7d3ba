"""Waits between tries. No event loop, no waiting."""

import random

from hypothesis import given
from hypothesis import strategies as st

from servers.model_factory.failure import CONSEQUENCES, Kind, ProviderFailure, of_status
from servers.model_factory.retry import Backoff

BACKOFF = Backoff(attempts=4, first=0.5, longest=3.0)
SERVER = ProviderFailure(Kind.SERVER)


def longest(_: float, bound: float) -> float:
    return bound


def test_waits_double_up_to_the_longest() -> None:
    waits = [BACKOFF.wait(SERVER, attempt, longest) for attempt in (1, 2, 3, 4)]
    assert waits == [0.5, 1.0, 2.0, None]
    assert Backoff(9, 0.5, 3.0).wait(SERVER, 8, longest) == 3.0


@given(st.integers(1, 3), st.integers())
def test_a_wait_is_anything_up_to_its_bound(attempt: int, seed: int) -> None:
    wait = BACKOFF.wait(SERVER, attempt, random.Random(seed).uniform)
    assert wait is not None
    assert 0 <= wait <= 0.5 * 2 ** (attempt - 1)


def test_what_would_not_help_is_not_tried_again() -> None:
    again = {kind for kind in Kind if BACKOFF.wait(ProviderFailure(kind), 1, longest) is not None}
    assert again == {kind for kind in Kind if CONSEQUENCES[kind].again}
    assert not again & {Kind.CLOSED, Kind.TIMEOUT, Kind.REJECTED, Kind.CREDENTIALS, Kind.GARBAGE}


def test_a_provider_that_names_a_time_is_not_asked_before() -> None:
    assert BACKOFF.wait(of_status(429, "", 2.0), 1, longest) == 2.5


def test_a_provider_that_names_too_long_a_time_is_left_for_the_next_model() -> None:
    assert BACKOFF.wait(of_status(429, "", 60.0), 1, longest) is None


def test_every_kind_of_failure_has_its_consequence() -> None:
    assert set(CONSEQUENCES) == set(Kind)
    kinds = {status: of_status(status, "", None).kind for status in (400, 401, 429, 500, 529)}
    assert list(kinds.values()) == [
        Kind.REJECTED,
        Kind.CREDENTIALS,
        Kind.OVERLOADED,
        Kind.SERVER,
        Kind.OVERLOADED,
    ]
