"""The circuit breaker. No event loop, no waiting."""

from servers.runtime.breaker import TRANSITIONS, Breaker, Event, State


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def tripped(clock: Clock) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(2, 10.0, clock)
    for _ in range(2):
        assert breaker.admit()
        breaker.failed()
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = tripped(Clock())
    assert breaker.state is State.OPEN
    assert not breaker.admit()


def test_an_answer_between_failures_clears_the_count() -> None:
    breaker = Breaker(2, 10.0, Clock())
    for _ in range(5):
        breaker.failed()
        breaker.answered()
    assert breaker.state is State.CLOSED


def test_one_caller_at_a_time_tries_when_its_time_is_over() -> None:
    clock = Clock()
    breaker = tripped(clock)
    clock.now = 10.0
    assert breaker.state is State.HALF_OPEN
    assert [breaker.admit() for _ in range(3)] == [True, False, False]


def test_a_try_that_answers_closes_it() -> None:
    clock = Clock()
    breaker = tripped(clock)
    clock.now = 10.0
    breaker.admit()
    breaker.answered()
    breaker.failed()
    assert breaker.state is State.CLOSED


def test_a_try_that_fails_opens_it_for_the_whole_time_again() -> None:
    clock = Clock()
    breaker = tripped(clock)
    clock.now = 10.0
    breaker.admit()
    breaker.failed()
    clock.now = 19.9
    assert not breaker.admit()
    clock.now = 20.0
    assert breaker.admit()


def test_a_try_that_is_abandoned_leaves_it_to_the_next_caller() -> None:
    clock = Clock()
    breaker = tripped(clock)
    clock.now = 10.0
    breaker.admit()
    breaker.abandoned()
    assert breaker.admit()


def test_a_try_that_breaks_off_after_it_began_opens_it_again() -> None:
    clock = Clock()
    breaker = tripped(clock)
    clock.now = 10.0
    breaker.admit()
    breaker.began()
    assert breaker.state is State.CLOSED
    breaker.failed()
    assert breaker.state is State.OPEN


def test_the_table_leads_from_every_state_to_another() -> None:
    assert {state for state, _ in TRANSITIONS} == set(State)
    assert set(TRANSITIONS.values()) == set(State)
    assert {event for _, event in TRANSITIONS} == set(Event)
