"""One socket's side of the conversation: client frames, answers and time in; actions out.

Nothing here awaits, knows gRPC, or knows a WebSocket. The shell performs the actions in order and
brings back what came of them. Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from gateway import watching
from gateway.actions import Action, Ask, Cause, Close, Open, Renew, Send
from gateway.closing import RUBBISH, TOKEN_EXPIRED, TOO_FAST, Closing
from gateway.followed_files import FollowedFiles
from gateway.frames import Encoding, Refused, decode
from gateway.lane import Lane
from gateway.pace import Pace
from gateway.telling import tell, tell_error, too_fast, too_many, welcome
from gateway.turns import Turns
from gateway.watching import Watching
from kari.chat_hub.v1 import chat_hub_pb2 as hub
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.edge.v1.frames_pb2 import Ack, ClientFrame, Limits, Result, ServerFrame
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import KariError, Unauthenticated
from servers.runtime.ids import new_correlation_id

MOST_FRAMES = 200
FRAMES_SECONDS = 10.0
RUBBISH_IN_A_ROW = 5
MOST_RUBBISH = 20
RUBBISH_SECONDS = 60.0
MOST_PENDING = 64
MOST_FOLLOWED = 64
LOST_FAN_OUT = Degradation(feature=Feature.FEATURE_FAN_OUT, cause="chat_hub")

REQUESTS = {
    "typing": "SetTyping",
    "cancel_turn": "CancelTurn",
    "answer": "AnswerProposal",
    "conversations": "ListConversations",
    "history": "ListMessages",
    "commands": "ListCommands",
    "conversation": "GetConversation",
    "search": "Search",
    "answer_approval": "AnswerApproval",
    "tools": "ListTools",
    "files": "ListFiles",
}
"""The hub's method for each kind of frame that is one call."""

RESULTS = {
    method: kind for kind, method in REQUESTS.items() if kind in Result.DESCRIPTOR.fields_by_name
}


@dataclass(frozen=True)
class Terms:
    """What holds for every socket. `heartbeat` is in seconds."""

    limits: Limits
    heartbeat: float
    verify: Callable[[str], Principal] = field(repr=False)


class Session:
    """What one socket has asked for and is told."""

    def __init__(self, principal: Principal, encoding: Encoding, terms: Terms) -> None:
        self.principal = principal
        self._encoding = encoding
        self._terms = terms
        self._degradations: list[Degradation] = []
        self._turns = Turns()
        self._watching = Watching()
        self._lane = Lane()
        self._files = FollowedFiles()
        self._held: list[ServerFrame] = []
        self._pending = 0
        self._rubbish = 0
        self._frames = Pace(MOST_FRAMES, FRAMES_SECONDS)
        self._refusals = Pace(MOST_RUBBISH, RUBBISH_SECONDS)
        self._closing = False
        self._serial = 0

    def opened(self, degradations: Sequence[Degradation]) -> list[Action]:
        """The socket is open."""
        self._degradations = list(degradations)
        return [self._welcome(self._cause("", new_correlation_id()))]

    def received(self, data: str | bytes, now: float) -> list[Action]:
        """The client sent a frame, or something that should have been one, at `now` in seconds of
        a clock that never goes back. What comes after a closing is not looked at."""
        if self._closing:
            return []
        if not self._frames.kept(now):
            cause = self._cause("", new_correlation_id())
            error = too_fast(MOST_FRAMES, FRAMES_SECONDS)
            return [tell_error(cause, error), self._close(TOO_FAST)]
        try:
            frame = decode(data, self._encoding, self._terms.limits.max_frame_bytes)
        except Refused as refused:
            return self._refuse(refused, now)
        self._rubbish = 0
        cause = self._cause(frame.id, frame.correlation_id)
        kind = frame.WhichOneof("kind") or ""
        if kind in REQUESTS:
            return self._ask(Ask(REQUESTS[kind], getattr(frame, kind), cause))
        actions: list[Action] = getattr(self, f"_on_{kind}")(frame, cause)
        return actions

    def answered(self, ask: Ask, response: Message) -> list[Action]:
        """A call of this session was answered."""
        if isinstance(response, hub.SendMessageResponse):
            return [*self._accepted(ask, response), *self._next_message()]
        self._pending -= 1
        if isinstance(response, hub.CancelTurnResponse):
            turn = response.turn
            return [tell(ask.cause, ack=Ack(conversation_id=turn.conversation_id, turn=turn))]
        if isinstance(ask.request, hub.AnswerProposalRequest):
            where = ask.request.conversation_id
            results = [response.result]  # type: ignore[attr-defined]  # an AnswerProposalResponse
            return [tell(ask.cause, ack=Ack(conversation_id=where, results=results))]
        if ask.method in RESULTS:
            result = Result(**{RESULTS[ask.method]: response})  # type: ignore[arg-type]  # its own kind
            return [tell(ask.cause, result=result)]
        return []

    def failed(self, ask: Ask, error: KariError) -> list[Action]:
        """A call of this session failed."""
        told = tell_error(ask.cause, error)
        if ask.counted:
            return [told, *self._next_message()]
        self._pending -= 1
        return [told]

    def streamed(self, stream: Open, response: Message) -> list[Action]:
        """A stream of this session brought something."""
        if isinstance(response, hub.FollowTurnResponse):
            return self._turn_moved(stream, response)
        if isinstance(response, hub.FollowFileResponse):
            return [tell(stream.cause, file_changed=response)]
        assert isinstance(response, hub.WatchResponse)  # noqa: S101  # there are two kinds of streams
        return self._seen(response)

    def passed_on(self, stream: Open, response: Message) -> None:
        """What a stream brought is on its way to the client. Not before this does a stream that is
        opened anew begin behind it: one that is stopped may lose what it holds."""
        if isinstance(response, hub.FollowTurnResponse):
            assert isinstance(stream.request, hub.FollowTurnRequest)  # noqa: S101  # as it was opened
            self._turns.progressed(stream.request.turn_id, response)

    def ended(self, stream: Open, error: KariError | None) -> list[Action]:
        """A stream of this session ended, well or not."""
        if stream.key == watching.KEY:
            return self._watch_cut(error)
        if isinstance(stream.request, hub.FollowFileRequest):
            return self._files.ended(stream, error)
        assert isinstance(stream.request, hub.FollowTurnRequest)  # noqa: S101  # the other kind
        found = self._turns.cut(stream.request.turn_id, error)
        if found is None:
            return []
        return [tell_error(stream.cause, found) if isinstance(found, KariError) else found]

    def renewed(self, renew: Renew) -> list[Action]:
        """The session of the renewed token runs: its streams are opened anew, since the hub ends
        each with the token that it was opened with."""
        same, self.principal = renew.principal == self.principal, renew.principal
        told = self._welcome(renew.cause)
        return [told] if same else [told, *self._watching.reopen(), *self._turns.reopen()]

    def not_renewed(self, renew: Renew, error: KariError) -> list[Action]:
        """The session of the renewed token has ended; the socket goes on under its own."""
        return [tell_error(renew.cause, error)]

    def tick(self, now: float) -> list[Action]:
        """Time has passed: it is `now` (since the epoch). Due at `principal.expires_at`."""
        return [self._close(TOKEN_EXPIRED)] if now >= self.principal.expires_at else []

    def degraded(self, degradation: Degradation) -> list[Action]:
        """A feature went missing; the client is told once."""
        if degradation in self._degradations:
            return []
        self._degradations.append(degradation)
        return [tell(self._cause("", new_correlation_id()), degraded=degradation)]

    def _on_send_message(self, frame: ClientFrame, cause: Cause) -> list[Action]:
        return self._enter(Ask("SendMessage", frame.send_message, cause, counted=True))

    def _on_command(self, frame: ClientFrame, cause: Cause) -> list[Action]:
        command = frame.command
        request = hub.SendMessageRequest(
            conversation_id=command.conversation_id,
            content=command.text,
            request_id=command.request_id,
        )
        return self._enter(Ask("SendMessage", request, cause, counted=True))

    def _on_presence(self, frame: ClientFrame, cause: Cause) -> list[Action]:
        actions = self._watching.watch(frame.presence.conversation_ids, cause)
        return [tell(cause, ack=Ack()), *actions]

    def _on_resume(self, frame: ClientFrame, cause: Cause) -> list[Action]:
        turn_id = frame.resume.turn_id
        if len(self._turns) >= MOST_FOLLOWED and turn_id not in self._turns:
            return [tell_error(cause, too_many("turns are followed", MOST_FOLLOWED))]
        after = frame.resume.after if frame.resume.HasField("after") else None
        return self._turns.resume(turn_id, after, cause)

    def _on_follow_file(self, frame: ClientFrame, cause: Cause) -> list[Action]:
        return self._files.follow(frame.follow_file, cause)

    def _on_refresh_token(self, frame: ClientFrame, cause: Cause) -> list[Action]:
        try:
            renewed = self._terms.verify(frame.refresh_token.access_token)
            _require_same_user(renewed, self.principal)
        except KariError as error:
            return [tell_error(cause, error)]
        return [Renew(renewed, cause)]

    def _ask(self, ask: Ask) -> list[Action]:
        if self._pending >= MOST_PENDING:
            return [tell_error(ask.cause, too_many("requests are under way", MOST_PENDING))]
        self._pending += 1
        return [ask]

    def _enter(self, ask: Ask) -> list[Action]:
        if self._lane.full:
            return [tell_error(ask.cause, too_many("messages wait to be taken", MOST_PENDING))]
        return [*self._lane.enter(ask)]

    def _accepted(self, ask: Ask, response: hub.SendMessageResponse) -> list[Action]:
        ack = Ack(conversation_id=response.conversation_id, results=response.results)
        if not response.HasField("turn"):
            return [tell(ask.cause, ack=ack)]
        ack.turn.CopyFrom(response.turn)
        ack.position.CopyFrom(response.position)
        follow = self._turns.follow(response.turn.id, response.position, ask.cause)
        return [tell(ask.cause, ack=ack), *follow]

    def _next_message(self) -> list[Action]:
        following = self._lane.leave()
        if following:
            return [*following]
        held, self._held = self._held, []
        return [Send(f) for f in held if f.turn_started.turn_id not in self._turns]

    def _turn_moved(self, stream: Open, response: hub.FollowTurnResponse) -> list[Action]:
        if response.HasField("resync"):
            return [tell(stream.cause, resync=response.resync)]
        return [tell(stream.cause, turn_event=response.turn_event)]

    def _seen(self, response: hub.WatchResponse) -> list[Action]:
        self._watching.heard()
        kind = response.WhichOneof("event")
        if kind is None:
            return []
        if kind == "degraded":
            return self.degraded(response.degraded)
        cause = self._cause("", new_correlation_id())
        send = tell(cause, **{kind: getattr(response, kind)})
        return self._announce(send) if kind == "turn_started" else [send]

    def _announce(self, send: Send) -> list[Action]:
        """A turn that this socket may be starting itself is held until it is known which it is."""
        started = send.frame.turn_started
        if started.turn_id in self._turns:
            return []
        if self._lane.busy and started.user_id == self.principal.user_id:
            self._held.append(send.frame)
            return []
        return [send]

    def _watch_cut(self, error: KariError | None) -> list[Action]:
        again, told = self._watching.cut(error)
        if told is not None and error is not None:
            return [tell_error(told, error)]
        return [] if again is None else [*self.degraded(LOST_FAN_OUT), again]

    def _refuse(self, refused: Refused, now: float) -> list[Action]:
        """A good frame ends the row, but not the count of the minute."""
        self._rubbish += 1
        too_much = not self._refusals.kept(now) or self._rubbish == RUBBISH_IN_A_ROW
        cause = self._cause(refused.frame_id, refused.correlation_id)
        told = Send(tell_error(cause, refused.error).frame, refusal=True)
        return [told, self._close(RUBBISH)] if too_much else [told]

    def _close(self, closing: Closing) -> Close:
        self._closing = True
        return Close(closing)

    def _cause(self, frame_id: str, correlation_id: str) -> Cause:
        self._serial += 1
        return Cause(frame_id, correlation_id, self._serial)

    def _welcome(self, cause: Cause) -> Send:
        terms = self._terms
        told = welcome(self.principal, terms.limits, terms.heartbeat, self._degradations)
        return tell(cause, welcome=told)


def _require_same_user(renewed: Principal, principal: Principal) -> None:
    if (renewed.user_id, renewed.tenant_id) != (principal.user_id, principal.tenant_id):
        raise Unauthenticated(
            Reason.REASON_TOKEN_INVALID, "the token belongs to another user; open another socket"
        )
