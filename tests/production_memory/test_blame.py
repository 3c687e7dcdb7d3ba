"""A job is to blame for failing if others do not fail."""

from hypothesis import given
from hypothesis import strategies as st

from servers.production_memory.blame import MOST_REMEMBERED, Blame


def test_a_job_is_to_blame_if_others_were_done_since_it_failed_before() -> None:
    blame = Blame()
    assert not blame.failed(1)
    assert not blame.failed(1)
    blame.done([2])
    assert blame.failed(1)
    assert not blame.failed(1)


def test_what_was_done_before_its_first_failure_says_nothing() -> None:
    blame = Blame()
    blame.done([2, 3])
    assert not blame.failed(1)


def test_a_job_that_was_done_begins_anew() -> None:
    blame = Blame()
    blame.failed(1)
    blame.done([1, 2])
    assert not blame.failed(1)


@given(st.lists(st.integers()))
def test_while_nothing_is_done_nobody_is_to_blame(jobs: list[int]) -> None:
    """However often, and whichever fail."""
    blame = Blame()
    to_blame = [job for job in jobs if blame.failed(job)]
    assert not to_blame


def test_only_so_many_are_remembered() -> None:
    """The one that failed longest ago is forgotten first."""
    blame = Blame()
    for job in range(MOST_REMEMBERED + 1):
        blame.failed(job)
    blame.done([-1])
    assert not blame.failed(0)
    assert blame.failed(MOST_REMEMBERED)
