"""Jobs yield to turns, and are never put off for ever."""

from servers.production_memory.quiet import Quiet


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def quiet_at(clock: Clock) -> Quiet:
    return Quiet(still=0.5, patience=20.0, clock=clock)


def test_without_turns_a_job_runs_at_once() -> None:
    assert quiet_at(Clock()).missing(since=100.0) == 0.0


def test_a_job_waits_until_turns_have_been_still() -> None:
    clock = Clock()
    quiet = quiet_at(clock)
    quiet.disturb()
    assert quiet.missing(since=100.0) == 0.5
    clock.now = 100.5
    assert quiet.missing(since=100.0) == 0.0


def test_where_turns_never_rest_a_job_runs_when_its_patience_is_over() -> None:
    clock = Clock()
    quiet = quiet_at(clock)
    clock.now = 119.8
    quiet.disturb()
    assert 0.0 < quiet.missing(since=100.0) < 0.21
    clock.now = 120.0
    quiet.disturb()
    assert quiet.missing(since=100.0) == 0.0
