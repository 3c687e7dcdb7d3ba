"""Places of calls that bring bytes: bounded, of each user as well, one of an upload."""

from contextlib import ExitStack

import pytest

from kari.errors.v1.errors_pb2 import Reason
from servers.file_attachment.parts import PART_BYTES
from servers.file_attachment.room import MEBIBYTE, Room
from servers.runtime.errors import RateLimited

ANNA, BEN = ("tenant", "anna"), ("tenant", "ben")


def refused(room: Room, *call: object, **given: bool) -> RateLimited:
    """What a call is told for which there is no place."""
    with pytest.raises(RateLimited) as told, room.call(*call, **given):  # type: ignore[arg-type]
        pass
    assert told.value.reason == Reason.REASON_UPLOAD_LIMIT
    return told.value


def test_a_user_has_so_many_places_and_leaves_those_of_others() -> None:
    """The same name in another tenant is somebody else."""
    room = Room(2, most_calls=10)
    with room.call(ANNA, "one"), room.call(ANNA, "two"):
        told = refused(room, ANNA, "three")
        assert (told.may_retry, told.details) == (False, {"limit": "2"})
        with room.call(BEN, "three"), room.call(("other", "anna"), "three"):
            pass
    with room.call(ANNA, "three"):
        pass


def test_what_does_not_count_is_bounded_with_all_others_only() -> None:
    room = Room(1, most_calls=3)
    with room.call(ANNA, "one"), room.call(ANNA, "two", counts=False):
        refused(room, ANNA, "three")
        with room.call(ANNA, "three", counts=False):
            told = refused(room, BEN, "four")
            assert (told.may_retry, told.details) == (True, {"limit": "3"})


def test_a_later_call_of_an_upload_overtakes_the_one_before() -> None:
    """Even where its user has no place left, and whoever waits is woken."""
    room, woken = Room(1), list[str]()
    with ExitStack() as before:
        first = before.enter_context(room.call(ANNA, "one"))
        first.wake = lambda: woken.append("first")
        with room.call(ANNA, "one") as second:
            assert (first.overtaken, second.overtaken, woken) == (True, False, ["first"])
            before.close()
            refused(room, ANNA, "two")
            with room.call(ANNA, "one"):
                assert second.overtaken
    with room.call(ANNA, "two"):
        pass


def test_who_overtakes_again_and_again_holds_no_more_than_one_place_beyond() -> None:
    """As long as those that are overtaken have not left."""
    room = Room(2, most_calls=10)
    with room.call(ANNA, "one") as first, room.call(ANNA, "one"), room.call(ANNA, "one") as last:
        assert first.overtaken
        refused(room, ANNA, "one")
        assert not last.overtaken
    full = Room(10, most_calls=2)
    with full.call(ANNA, "one"), full.call(ANNA, "one"), full.call(ANNA, "one"):
        refused(full, ANNA, "one")
        refused(full, BEN, "two")


def test_parts_are_smaller_the_more_calls_there_are() -> None:
    """Within the bytes of all together."""
    room = Room(100, most_bytes=24 * MEBIBYTE)
    with ExitStack() as calls:
        calls.enter_context(room.call(ANNA, "0"))
        assert (room.parts_at_once, room.part_bytes) == (2, PART_BYTES)
        for number in range(1, 12):
            calls.enter_context(room.call(ANNA, f"{number}"))
        assert (room.parts_at_once, room.part_bytes) == (1, MEBIBYTE)
    assert (room.parts_at_once, room.part_bytes) == (2, PART_BYTES)
