"""The session, without a socket, a hub or an event loop."""

import itertools
import json
from typing import Any

from gateway.actions import Action, Ask, Cause, Close, Open, Renew, Send, Stop
from gateway.closing import RUBBISH, TOKEN_EXPIRED, TOO_FAST, comes_back
from gateway.frames import Encoding
from gateway.lane import PLACES
from gateway.session import (
    FRAMES_SECONDS,
    MOST_FOLLOWED,
    MOST_FRAMES,
    MOST_PENDING,
    MOST_RUBBISH,
    REQUESTS,
    RUBBISH_IN_A_ROW,
    Session,
    Terms,
)
from gateway.turns import ATTEMPTS
from kari.chat_hub.v1 import chat_hub_pb2 as hub
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.search_pb2 import SearchResult, SummaryResult
from kari.conversation_models.v1.turn_pb2 import (
    Completed,
    StreamPosition,
    TextDelta,
    Turn,
    TurnEvent,
)
from kari.edge.v1.frames_pb2 import ClientFrame, Limits, ServerFrame
from kari.errors.v1.errors_pb2 import ErrorType, Reason
from servers.runtime.call import Principal
from servers.runtime.errors import NotFound, Unauthenticated, Unavailable

ADA = Principal("user_ada", "ten_1", frozenset({"chat.user"}), "ses_1", 1000.0, "token")
CONVERSATION = "conv_" + "1" * 32
OTHER = "conv_" + "2" * 32
TURN = "turn_" + "1" * 32
DOWN = Unavailable(Reason.REASON_SERVER_UNAVAILABLE, "gone")
GONE = NotFound(Reason.REASON_TURN_NOT_FOUND, "no such turn")
TOKENS = {
    "renewed": Principal("user_ada", "ten_1", frozenset(), "ses_1", 2000.0, "renewed"),
    "bobs": Principal("user_bob", "ten_1", frozenset(), "ses_2", 2000.0, "bobs"),
}


def verify(token: str) -> Principal:
    if token not in TOKENS:
        raise Unauthenticated(Reason.REASON_TOKEN_INVALID, "no")
    return TOKENS[token]


def opened() -> Session:
    session = Session(ADA, Encoding.JSON, Terms(Limits(max_frame_bytes=100_000), 20.0, verify))
    session.opened(())
    return session


ids = itertools.count(1)


def say(session: Session, frame_id: str = "f", now: float = 0.0, **kind: Any) -> list[Action]:
    return session.received(json.dumps({"id": frame_id, "correlationId": "c1", **kind}), now)


def renew(session: Session, token: str = "renewed") -> list[Action]:
    return session.renewed(only(say(session, "r", refreshToken={"accessToken": token}), Renew))


def hear(session: Session, stream: Open, response: hub.FollowTurnResponse) -> None:
    session.streamed(stream, response)
    session.passed_on(stream, response)


def send(session: Session, frame_id: str = "f") -> list[Action]:
    asked = {"content": "hello", "requestId": f"r{next(ids)}", "conversationId": CONVERSATION}
    return say(session, frame_id, sendMessage=asked)


def only(actions: list[Action], kind: type[Any]) -> Any:
    (found,) = (action for action in actions if isinstance(action, kind))
    return found


def frame(actions: list[Action]) -> ServerFrame:
    found: ServerFrame = only(actions, Send).frame
    return found


def accept(session: Session, ask: Ask, turn_id: str = TURN) -> list[Action]:
    turn = Turn(id=turn_id, conversation_id=CONVERSATION)
    position = StreamPosition(stream_id=turn_id, epoch=1)
    response = hub.SendMessageResponse(conversation_id=CONVERSATION, turn=turn, position=position)
    return session.answered(ask, response)


def event(seq: int, **kind: Any) -> hub.FollowTurnResponse:
    position = StreamPosition(stream_id=TURN, epoch=1, seq=seq)
    kind = kind or {"delta": TextDelta(text="x")}
    return hub.FollowTurnResponse(turn_event=TurnEvent(position=position, **kind))


def following(session: Session) -> Open:
    actions = accept(session, only(send(session, "f1"), Ask))
    stream: Open = only(actions, Open)
    return stream


def test_the_welcome_says_who_and_until_when() -> None:
    """And what is missing."""
    session = Session(ADA, Encoding.JSON, Terms(Limits(messages_per_minute=6), 20.0, verify))
    lost = Degradation(feature=Feature.FEATURE_RESUME, cause="redis")
    welcome = frame(session.opened([lost])).welcome
    assert (welcome.user_id, welcome.session_id) == ("user_ada", "ses_1")
    assert (welcome.expires_at.seconds, welcome.heartbeat.seconds) == (1000, 20)
    assert (welcome.limits.messages_per_minute, list(welcome.degradations)) == (6, [lost])


def test_a_message_becomes_a_counted_call_to_the_hub() -> None:
    """With its frame as the cause."""
    ask = only(send(opened(), "f1"), Ask)
    assert (ask.method, ask.counted, ask.request.content) == ("SendMessage", True, "hello")
    assert (ask.cause.frame_id, ask.cause.correlation_id) == ("f1", "c1")


def test_a_command_is_a_message_to_the_hub() -> None:
    """The hub routes by the text."""
    command = {"text": "/help", "requestId": "r1"}
    ask = only(say(opened(), command=command), Ask)
    assert (ask.method, ask.counted, ask.request.content) == ("SendMessage", True, "/help")


def test_an_accepted_message_is_acknowledged_before_its_turn_is_followed() -> None:
    """Events carry the id of the frame that began the turn."""
    session = opened()
    ack, follow = accept(session, only(send(session, "f1"), Ask))
    assert isinstance(ack, Send)
    assert isinstance(follow, Open)
    assert (ack.frame.id, ack.frame.ack.turn.id) == ("f1", TURN)
    assert (follow.method, follow.request.turn_id) == ("FollowTurn", TURN)  # type: ignore[attr-defined]
    assert frame(session.streamed(follow, event(1))).id == "f1"


def test_messages_go_to_the_hub_one_after_the_other() -> None:
    """So that none overtakes another."""
    session = opened()
    first = only(send(session, "f1"), Ask)
    assert send(session, "f2") == []
    second = only(accept(session, first), Ask)
    assert second.cause.frame_id == "f2"


def test_a_refused_message_makes_way_for_the_next() -> None:
    """Its error carries its id."""
    session = opened()
    first = only(send(session, "f1"), Ask)
    send(session, "f2")
    told, following = session.failed(first, DOWN)
    assert isinstance(told, Send)
    assert (told.frame.id, told.frame.error.reason) == ("f1", Reason.REASON_SERVER_UNAVAILABLE)
    assert isinstance(following, Ask)


def test_only_so_many_messages_wait() -> None:
    """More are refused, and may be sent again."""
    session = opened()
    for _ in range(PLACES):
        send(session)
    error = frame(send(session)).error
    assert (error.type, error.retryable) == (ErrorType.ERROR_TYPE_RATE_LIMIT, True)


def test_only_so_many_requests_are_under_way() -> None:
    """One that is answered frees its place."""
    session = opened()
    asks = [only(say(session, commands={}), Ask) for _ in range(MOST_PENDING)]
    assert frame(say(session, commands={})).error.details["limit"] == str(MOST_PENDING)
    session.answered(asks[0], hub.ListCommandsResponse())
    assert only(say(session, commands={}), Ask)


def test_a_repeated_message_does_not_follow_its_turn_twice() -> None:
    """The hub gives the same turn for the same request id."""
    session = opened()
    accept(session, only(send(session), Ask))
    again = accept(session, only(send(session), Ask))
    assert [type(action) for action in again] == [Send]


def test_a_cut_stream_is_opened_again_after_the_last_event() -> None:
    """The client notices nothing."""
    session = opened()
    stream = following(session)
    hear(session, stream, event(7))
    again = only(session.ended(stream, DOWN), Open)
    assert (again.request.after.seq, again.delay > 0) == (7, True)
    assert only(session.ended(again, None), Open).delay > again.delay


def test_a_stream_that_stays_cut_is_told_after_some_attempts() -> None:
    """The client may resume the turn later."""
    session = opened()
    stream = following(session)
    for _ in range(ATTEMPTS):
        stream = only(session.ended(stream, DOWN), Open)
    error = frame(session.ended(stream, DOWN))
    assert (error.id, error.error.retryable) == ("f1", True)


def test_an_error_that_no_attempt_can_mend_is_told_at_once() -> None:
    """Such as a turn of somebody else."""
    session = opened()
    stream = only(say(session, resume={"turnId": TURN}), Open)
    assert frame(session.ended(stream, GONE)).error.reason == Reason.REASON_TURN_NOT_FOUND


def test_a_stream_that_ended_with_its_turn_is_over() -> None:
    """Nothing more happens."""
    session = opened()
    stream = following(session)
    hear(session, stream, event(8, completed=Completed()))
    assert session.ended(stream, None) == []


def test_resuming_replaces_a_follow_that_is_under_way() -> None:
    """From then on events carry the id of the resume."""
    session = opened()
    following(session)
    after = {"streamId": TURN, "epoch": "1", "seq": "3"}
    stop, again = say(session, "f9", resume={"turnId": TURN, "after": after})
    assert isinstance(stop, Stop)
    assert isinstance(again, Open)
    assert again.request.after.seq == 3  # type: ignore[attr-defined]
    assert frame(session.streamed(again, event(4))).id == "f9"


def test_only_so_many_turns_are_followed() -> None:
    """Each costs a stream."""
    session = opened()
    for n in range(MOST_FOLLOWED):
        say(session, resume={"turnId": f"turn_{n:032x}"})
    refused = frame(say(session, resume={"turnId": TURN}))
    assert refused.error.type == ErrorType.ERROR_TYPE_RATE_LIMIT


def test_a_lost_place_is_told_as_it_is() -> None:
    """What follows is complete."""
    session = opened()
    stream = following(session)
    resync = hub.Resync(turn=Turn(id=TURN), recovered=False)
    assert frame(session.streamed(stream, hub.FollowTurnResponse(resync=resync))).resync == resync


def test_presence_watches_exactly_the_conversations_on_screen() -> None:
    """The stream is opened anew when the list changes, and closed when it is empty."""
    session = opened()
    say(session, presence={"conversationIds": [CONVERSATION]})
    ack, stop, watch = say(session, "f2", presence={"conversationIds": [CONVERSATION, OTHER]})
    assert isinstance(ack, Send)
    assert isinstance(stop, Stop)
    assert isinstance(watch, Open)
    assert watch.request.conversation_ids == [CONVERSATION, OTHER]  # type: ignore[attr-defined]
    assert [type(action) for action in say(session, presence={})] == [Send, Stop]


def test_the_same_list_again_changes_nothing() -> None:
    """In any order."""
    session = opened()
    say(session, presence={"conversationIds": [CONVERSATION, OTHER]})
    again = say(session, presence={"conversationIds": [OTHER, CONVERSATION]})
    assert [type(action) for action in again] == [Send]


def test_a_cut_watch_is_opened_again_and_told_once() -> None:
    """As long as there is something to watch."""
    session = opened()
    watch = only(say(session, presence={"conversationIds": [CONVERSATION]}), Open)
    told, again = session.ended(watch, DOWN)
    assert isinstance(told, Send)
    assert isinstance(again, Open)
    assert told.frame.degraded.feature == Feature.FEATURE_FAN_OUT
    assert [type(action) for action in session.ended(again, None)] == [Open]


def test_a_watch_of_foreign_conversations_is_an_error() -> None:
    """It is not tried again."""
    session = opened()
    watch = only(say(session, "f1", presence={"conversationIds": [CONVERSATION]}), Open)
    assert frame(session.ended(watch, GONE)).id == "f1"


def test_turns_of_others_are_announced() -> None:
    """The client may resume them."""
    session = opened()
    watch = only(say(session, presence={"conversationIds": [CONVERSATION]}), Open)
    started = hub.TurnStarted(conversation_id=CONVERSATION, turn_id=TURN, user_id="user_bob")
    told = session.streamed(watch, hub.WatchResponse(turn_started=started))
    assert frame(told).turn_started == started


def test_an_own_turn_is_not_announced_to_the_socket_that_starts_it() -> None:
    """Even if the news is faster than the answer."""
    session = opened()
    watch = only(say(session, presence={"conversationIds": [CONVERSATION]}), Open)
    ask = only(send(session), Ask)
    started = hub.TurnStarted(conversation_id=CONVERSATION, turn_id=TURN, user_id="user_ada")
    assert session.streamed(watch, hub.WatchResponse(turn_started=started)) == []
    assert [type(action) for action in accept(session, ask)] == [Send, Open]


def test_a_turn_of_another_own_socket_is_announced_once_that_is_known() -> None:
    """It is held while it might be the one that this socket is starting."""
    session = opened()
    watch = only(say(session, presence={"conversationIds": [CONVERSATION]}), Open)
    ask = only(send(session), Ask)
    elsewhere = hub.TurnStarted(conversation_id=CONVERSATION, turn_id="t2", user_id="user_ada")
    session.streamed(watch, hub.WatchResponse(turn_started=elsewhere))
    told = session.failed(ask, DOWN)[-1]
    assert isinstance(told, Send)
    assert told.frame.turn_started == elsewhere


def test_a_renewed_token_of_the_same_user_is_welcomed() -> None:
    """The socket then lives as long as that one."""
    session = opened()
    welcome = frame(renew(session)).welcome
    assert welcome.expires_at.seconds == 2000
    assert session.tick(1500.0) == []


def test_a_renewed_token_opens_every_stream_anew() -> None:
    """Each goes on behind what was passed on; the hub ends those of the old token."""
    session = opened()
    say(session, presence={"conversationIds": [CONVERSATION]})
    stream = following(session)
    hear(session, stream, event(7))
    session.streamed(stream, event(8))
    _, stop_watch, watch, stop_turn, turn = renew(session)
    assert (stop_watch, stop_turn) == (Stop("watch"), Stop(stream.key))
    assert isinstance(watch, Open)
    assert isinstance(turn, Open)
    assert watch.request.conversation_ids == [CONVERSATION]  # type: ignore[attr-defined]
    assert (turn.request.after.seq, turn.cause) == (7, stream.cause)  # type: ignore[attr-defined]


def test_the_same_token_again_opens_nothing_anew() -> None:
    """Nor does a token reopen the stream of a turn that is over, or a watch of nothing."""
    session = opened()
    hear(session, following(session), event(8, completed=Completed()))
    assert [type(action) for action in renew(session)] == [Send]
    say(session, presence={"conversationIds": [CONVERSATION]})
    assert [type(action) for action in renew(session)] == [Send]


def test_a_token_of_a_session_that_ended_renews_nothing() -> None:
    """The socket goes on under its own."""
    session = opened()
    asked = only(say(session, "r", refreshToken={"accessToken": "renewed"}), Renew)
    assert session.principal == ADA
    revoked = Unauthenticated(Reason.REASON_SESSION_REVOKED, "signed out")
    told = frame(session.not_renewed(asked, revoked))
    assert (told.id, told.error.reason) == ("r", Reason.REASON_SESSION_REVOKED)
    assert session.principal == ADA


def test_a_token_of_somebody_else_is_refused() -> None:
    """The socket goes on under its own."""
    session = opened()
    for token in ("bobs", "forged"):
        error = frame(say(session, refreshToken={"accessToken": token})).error
        assert error.reason == Reason.REASON_TOKEN_INVALID
    assert session.principal == ADA


def test_the_socket_closes_when_its_token_ends() -> None:
    """Not a moment before."""
    session = opened()
    assert session.tick(999.9) == []
    assert session.tick(1000.0) == [Close(TOKEN_EXPIRED)]


def test_rubbish_many_times_in_a_row_closes_the_socket() -> None:
    """Each time is answered first."""
    session = opened()
    for _ in range(RUBBISH_IN_A_ROW - 1):
        assert only(session.received("rubbish", 0.0), Send).refusal
    told, close = session.received("rubbish", 0.0)
    assert isinstance(told, Send)
    assert close == Close(RUBBISH)


def test_a_good_frame_makes_up_for_rubbish() -> None:
    """Only a row of it closes."""
    session = opened()
    for _ in range(RUBBISH_IN_A_ROW * 2):
        actions = [*session.received("rubbish", 0.0), *say(session, commands={})]
        assert not [action for action in actions if isinstance(action, Close)]


def test_good_frames_do_not_make_up_for_rubbish_without_end() -> None:
    """So much of it in a minute closes, whatever comes between."""
    session = opened()
    for _ in range(MOST_RUBBISH):
        session.received("rubbish", 0.0)
        say(session, commands={})
    assert only(session.received("rubbish", 59.0), Close) == Close(RUBBISH)


def test_a_socket_that_sends_too_fast_is_told_once_and_closed() -> None:
    """Its client comes back later; what it sends until then is not looked at."""
    session = opened()
    for _ in range(MOST_FRAMES):
        assert say(session, resume={"turnId": TURN})
    told, close = say(session, resume={"turnId": TURN}, now=FRAMES_SECONDS - 0.1)
    assert isinstance(told, Send)
    assert told.frame.error.reason == Reason.REASON_MESSAGE_RATE
    assert close == Close(TOO_FAST)
    assert comes_back(TOO_FAST.code)
    assert say(session, commands={}, now=2 * FRAMES_SECONDS) == []


def test_frames_that_come_evenly_are_never_too_fast() -> None:
    """The oldest ones no longer count."""
    session, between = opened(), FRAMES_SECONDS / MOST_FRAMES
    for n in range(2 * MOST_FRAMES):
        actions = say(session, resume={"turnId": TURN}, now=n * between * 1.001)
        assert not [action for action in actions if isinstance(action, Close)]


def test_a_missing_feature_is_told_once() -> None:
    """However often it is noticed."""
    session = opened()
    lost = Degradation(feature=Feature.FEATURE_SHARED_LIMITS, cause="redis")
    assert frame(session.degraded(lost)).degraded == lost
    assert session.degraded(lost) == []


def test_pages_are_answered_by_results_of_their_kind() -> None:
    """Under the id of the request."""
    session = opened()
    ask = only(say(session, "f3", conversations={"pageSize": 5}), Ask)
    response = hub.ListConversationsResponse(next_page_token="next")
    told = frame(session.answered(ask, response))
    assert (told.id, told.result.conversations.next_page_token) == ("f3", "next")


def test_a_search_is_one_call_and_answered_by_its_result() -> None:
    """With everything that the hub says, and not counted as a message."""
    session = opened()
    asked = {"query": "zeppelin", "filter": {"conversationId": CONVERSATION}, "pageToken": "p2"}
    ask = only(say(session, "f4", search=asked), Ask)
    assert (ask.method, ask.counted, ask.request.query) == ("Search", False, "zeppelin")
    assert (ask.request.filter.conversation_id, ask.request.page_token) == (CONVERSATION, "p2")
    lost = Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="milvus")
    response = hub.SearchResponse(
        results=[SearchResult(message_id="msg_1")],
        summaries=[SummaryResult(score=1.0)],
        next_page_token="next",
        degradations=[lost],
    )
    told = frame(session.answered(ask, response))
    assert (told.id, told.result.search) == ("f4", response)


def test_a_search_that_fails_frees_its_place() -> None:
    """Its error goes back under its id."""
    session = opened()
    asks = [only(say(session, f"f{n}", search={}), Ask) for n in range(MOST_PENDING)]
    assert frame(session.failed(asks[0], DOWN)).id == "f0"
    assert only(say(session, search={}), Ask)


def test_an_answer_to_a_proposal_is_acknowledged_with_its_result() -> None:
    """As the hub gives it."""
    session = opened()
    answer = {"conversationId": CONVERSATION, "proposalId": "prop_" + "1" * 32, "accepted": True}
    ask = only(say(session, answer=answer), Ask)
    response = hub.AnswerProposalResponse()
    response.result.text = "Done."
    ack = frame(session.answered(ask, response)).ack
    assert (ack.conversation_id, ack.results[0].text) == (CONVERSATION, "Done.")


def test_typing_is_passed_on_and_not_answered() -> None:
    """There is nothing to say."""
    session = opened()
    ask = only(say(session, typing={"conversationId": CONVERSATION, "typing": True}), Ask)
    assert session.answered(ask, hub.SetTypingResponse()) == []


def test_causes_differ_even_where_a_client_repeats_an_id() -> None:
    """Calls can be told apart."""
    session = opened()
    causes = {only(say(session, "same", commands={}), Ask).cause for _ in range(3)}
    assert len(causes) == 3
    assert all(isinstance(cause, Cause) for cause in causes)


def test_every_kind_of_frame_of_the_contract_is_taken() -> None:
    """One that nobody takes would end the socket of whoever sends it."""
    kinds = {field.name for field in ClientFrame.DESCRIPTOR.oneofs_by_name["kind"].fields}
    taken = {name.removeprefix("_on_") for name in vars(Session) if name.startswith("_on_")}
    assert kinds == taken | set(REQUESTS)
