"""What waits for a watcher."""

from kari.chat_hub.v1.chat_hub_pb2 import (
    ConversationChanged,
    TurnStarted,
    Typing,
    WatchResponse,
)
from servers.chat_hub.attendance import Attendance, Seat, differences, presence
from servers.chat_hub.mailbox import Mailbox


def typing(user: str, typing: bool = True, conversation: str = "conv_1") -> WatchResponse:
    return WatchResponse(typing=Typing(conversation_id=conversation, user_id=user, typing=typing))


def changed(version: int, conversation: str = "conv_1") -> WatchResponse:
    change = ConversationChanged(conversation_id=conversation, version=version)
    return WatchResponse(conversation_changed=change)


def started(turn: str, user: str = "me") -> WatchResponse:
    return WatchResponse(turn_started=TurnStarted(turn_id=turn, user_id=user))


def filled(*events: WatchResponse, most: int = 100) -> Mailbox:
    mailbox = Mailbox("me", most)
    for event in events:
        mailbox.put(event)
    return mailbox


def emptied(mailbox: Mailbox) -> list[WatchResponse]:
    return list(iter(mailbox.take, None))


def test_events_come_out_in_order() -> None:
    events = [typing("a"), changed(2), started("turn_1"), presence("conv_1", "b", present=True)]
    assert emptied(filled(*events)) == events


def test_nobody_hears_of_their_own_typing_and_presence() -> None:
    own = [typing("me"), presence("conv_1", "me", present=True)]
    assert emptied(filled(*own)) == []


def test_a_turn_of_ones_own_is_told_for_the_other_tab() -> None:
    assert emptied(filled(started("turn_1", "me"))) == [started("turn_1", "me")]


def test_only_the_latest_of_the_same_thing_is_told() -> None:
    events = [typing("a"), changed(2), typing("a", False), changed(3), typing("b")]
    assert emptied(filled(*events)) == [typing("a", False), changed(3), typing("b")]


def test_changes_of_different_conversations_are_all_told() -> None:
    assert len(emptied(filled(changed(2), changed(2, "conv_2")))) == 2


def test_a_full_mailbox_drops_typing_and_nothing_else() -> None:
    mailbox = filled(typing("a"), typing("b"), *(started(f"turn_{i}") for i in range(4)), most=4)
    assert emptied(mailbox) == [started(f"turn_{i}") for i in range(4)]
    assert not mailbox.overflowed


def test_a_mailbox_full_of_what_may_not_be_lost_says_so() -> None:
    assert filled(*(started(f"turn_{i}") for i in range(5)), most=4).overflowed


def test_a_second_tab_is_no_second_arrival() -> None:
    here, seat = Attendance(), Seat("acme", "conv_1", "a")
    assert here.enter([seat]) == [seat]
    assert here.enter([seat]) == []
    assert here.leave([seat]) == []
    assert here.empty([seat]) == []
    assert here.leave([seat]) == [seat]
    assert here.empty([seat]) == [seat]
    assert here.seats() == []


def test_who_is_in_a_conversation_is_known_by_tenant() -> None:
    here = Attendance()
    here.enter([Seat("acme", "conv_1", "a"), Seat("other", "conv_1", "b")])
    assert here.users("acme", "conv_1") == {"a"}


def test_the_difference_of_two_looks_is_who_came_and_went() -> None:
    news = list(differences("conv_1", ["a", "b"], ["b", "c"]))
    assert news == [presence("conv_1", "c", present=True), presence("conv_1", "a", present=False)]
