"""Jobs yield to turns, and are never put off for ever."""

from servers.production_memory.quiet import Quiet


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


WORKED = 4.0
"""Seconds that the batch before took: at a share of a fifth the next one waits for 16."""


def quiet_at(clock: Clock) -> Quiet:
    return Quiet(still=0.5, share=0.2, longest=20.0, clock=clock)


def test_without_turns_a_job_runs_at_once() -> None:
    assert quiet_at(Clock()).missing(100.0, WORKED) == 0.0


def test_a_job_waits_until_turns_have_been_still() -> None:
    clock = Clock()
    quiet = quiet_at(clock)
    quiet.disturb()
    assert quiet.missing(100.0, WORKED) == 0.5
    clock.now = 100.5
    assert quiet.missing(100.0, WORKED) == 0.0


def test_where_turns_never_rest_jobs_have_a_share_of_the_time() -> None:
    clock = Clock()
    quiet = quiet_at(clock)
    clock.now = 115.8
    quiet.disturb()
    assert 0.0 < quiet.missing(100.0, WORKED) < 0.21
    clock.now = 116.0
    quiet.disturb()
    assert quiet.missing(100.0, WORKED) == 0.0


def test_no_job_waits_for_long_whatever_the_one_before_took() -> None:
    clock = Clock()
    quiet = quiet_at(clock)
    clock.now = 120.0
    quiet.disturb()
    assert quiet.missing(100.0, worked=60.0) == 0.0
