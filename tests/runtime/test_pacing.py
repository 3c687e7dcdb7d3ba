"""Steps are as many as there is news while all keep up, and rarer the later everything is."""

from servers.runtime.pacing import FULL, LONGEST_SECONDS, Pace


def after(*late: float, busy: float = 0.0) -> Pace:
    pace = Pace()
    for seconds in late:
        pace.note(seconds, busy)
    return pace


def balanced(load: float, steps: float) -> tuple[float, float]:
    """Where a loop settles, and how busy it is there, that has `load` cores of other work and
    steps that take `steps` seconds of a core in a second, divided by their period."""
    pace, busy = Pace(), 0.0
    for _ in range(500):
        busy = min(1.0, load + steps / max(pace.period, 0.01))
        pace.note(0.0, busy)
    return pace.period, busy


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


def test_a_loop_that_is_full_makes_steps_rare_before_it_is_late() -> None:
    """Within less than two seconds, and back within half of one."""
    assert after(*[0.0] * 80, busy=1.0).period == LONGEST_SECONDS
    pace = after(*[0.0] * 100, busy=1.0)
    for _ in range(25):
        pace.note(0.0, 0.2)
    assert pace.period == 0


def test_a_loop_with_room_makes_every_step() -> None:
    """However long it has been so."""
    assert after(*[0.0] * 500, busy=0.8).period == 0


def test_load_settles_where_there_is_room() -> None:
    """Steps become as rare as it takes, and no rarer."""
    period, busy = balanced(0.25, 0.02)
    assert 0 < period < LONGEST_SECONDS
    assert abs(busy - FULL) < 0.02


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
