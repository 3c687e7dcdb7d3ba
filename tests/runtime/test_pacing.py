"""Steps are as many as there is news while all keep up, and rarer the later everything is."""

from servers.runtime.pacing import LONGEST_SECONDS, Pace


def after(*late: float) -> Pace:
    pace = Pace()
    for seconds in late:
        pace.note(seconds)
    return pace


def test_while_all_keep_up_nothing_waits() -> None:
    """Timers are a millisecond late on any machine."""
    pace = after(*[0.001] * 100)
    assert pace.period == 0
    assert pace.rest(0.0) == 0


def test_a_loop_that_stays_late_makes_steps_rare() -> None:
    """Up to a period that readers do not notice, however late it is."""
    assert 0 < after(*[0.003] * 50).period < LONGEST_SECONDS
    assert after(*[0.5] * 50).period == LONGEST_SECONDS


def test_later_is_rarer() -> None:
    """So that load finds its balance."""
    periods = [after(*[late] * 50).period for late in (0.0025, 0.003, 0.0035)]
    assert periods == sorted(set(periods))


def test_one_long_stop_is_soon_forgotten() -> None:
    """It says nothing of the load."""
    assert after(5.0).period == 0
    assert after(*[0.5] * 50, *[0.0] * 20).period == 0


def test_a_step_waits_for_what_is_left_of_the_period() -> None:
    """News that comes after a pause leaves at once."""
    pace = after(*[0.5] * 50)
    assert pace.rest(since=0.0) == LONGEST_SECONDS
    assert 0 < pace.rest(since=LONGEST_SECONDS / 2) < LONGEST_SECONDS
    assert pace.rest(since=1.0) == 0
    assert pace.rest(since=0.0, share=0.5) == LONGEST_SECONDS / 2
