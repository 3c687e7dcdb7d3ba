"""How long streams stay in memory."""

from servers.stream_processor.retention import IDLE_SECONDS, kept_seconds


def test_an_ended_stream_that_nobody_follows_goes_at_once() -> None:
    assert kept_seconds(followed=False, owed=False, ended=True, ttl=3600) == 0


def test_a_stream_that_nobody_else_has_stays_for_late_readers() -> None:
    assert kept_seconds(followed=False, owed=True, ended=True, ttl=3600) == 3600


def test_a_followed_stream_stays() -> None:
    assert kept_seconds(followed=True, owed=False, ended=True, ttl=3600) == 3600


def test_a_stream_under_way_that_nobody_follows_stays_for_a_while() -> None:
    assert kept_seconds(followed=False, owed=False, ended=False, ttl=3600) == IDLE_SECONDS
