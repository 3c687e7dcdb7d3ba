"""Turns as rows, and back; who may begin and who may write. Pure.

A turn is led by whoever holds its lease. The lease's number grows with each new leader, so that
one who was silent for too long cannot write any more: that is the fence.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from kari.conversation_models.v1.context_pb2 import ContextManifest
from kari.conversation_models.v1.degradation_pb2 import Degradation
from kari.conversation_models.v1.instruction_pb2 import Instruction
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.model_pb2 import ModelSelection, Usage
from kari.conversation_models.v1.tool_pb2 import ToolStep
from kari.conversation_models.v1.turn_pb2 import Turn, TurnState, WhenBusy
from kari.errors.v1.errors_pb2 import ErrorEnvelope, Reason
from kari.production_memory.v1.production_memory_pb2 import BeginTurnRequest, Lease, LedTurn
from servers.production_memory.message import timestamp
from servers.runtime.errors import Conflict, NotFound, RateLimited
from servers.runtime.names import short
from servers.runtime.queries import Row

ENDED = frozenset({"completed", "failed", "cancelled"})
AWAITING_APPROVAL = "awaiting_approval"


def name_of(state: TurnState.ValueType) -> str:
    """A state as the table has it, such as `generating`."""
    return short(TurnState, state)


def turn_of(row: Row, pending: Sequence[ToolStep] = ()) -> Turn:
    """The turn of a row of `turns`, with the calls about which its user is asked."""
    return Turn(
        id=row["id"],
        conversation_id=row["conversation_id"],
        request_id=row["request_id"],
        state=TurnState.Value(f"TURN_STATE_{row['state'].upper()}"),
        user_message_id=row["user_message_id"],
        assistant_message_id=row["assistant_message_id"],
        user_id=row["user_id"],
        created_at=timestamp(row["created_at"]),
        ended_at=timestamp(row["ended_at"]),
        error=_parsed(ErrorEnvelope, row["error"]),
        selection=_parsed(ModelSelection, row["selection"]),
        usage=_parsed(Usage, row["usage"]),
        degradations=[Degradation.FromString(each) for each in row["degradations"]],
        correlation_id=row["correlation_id"],
        pending_steps=pending,
    )


def manifest_of(row: Row) -> ContextManifest | None:
    """How the turn's prompt came about; None if it was not recorded."""
    manifest: ContextManifest | None = _parsed(ContextManifest, row["manifest"])
    return manifest


def led_turn_of(
    row: Row, message: Message, owner: str, pending: Sequence[ToolStep] = ()
) -> LedTurn:
    """A turn with all that its leader needs; with a lease only if `owner` is that leader."""
    leads = row["lease_owner"] == owner and row["state"] not in ENDED | {"accepted"}
    return LedTurn(
        turn=turn_of(row, pending),
        message=message,
        lease=Lease(owner=owner, number=row["lease_number"]) if leads else None,
        model=row["model"],
        instructions=[Instruction.FromString(each) for each in row["instructions"]],
        tenant_id=row["tenant_id"],
        roles=row["roles"],
    )


def digest_of(request: BeginTurnRequest, user_id: str) -> bytes:
    """What a repeated request has to have in common with the first: sender and content."""
    essence = BeginTurnRequest()
    essence.CopyFrom(request)
    essence.ClearField("lease")
    essence.ClearField("when_busy")
    content = essence.SerializeToString(deterministic=True)
    return hashlib.sha256(user_id.encode() + b"\0" + content).digest()


def require_place(when_busy: WhenBusy.ValueType, ahead: str) -> None:
    """Raises Conflict if turn `ahead` (empty if none) is in the way and is not to be waited for."""
    waits = when_busy in (WhenBusy.WHEN_BUSY_ENQUEUE, WhenBusy.WHEN_BUSY_INTERRUPT)
    if ahead and not waits:
        raise Conflict(
            Reason.REASON_TURN_ACTIVE,
            "another turn of this conversation is under way; wait for it, cancel it, or enqueue",
            retryable=True,
            turn_id=ahead,
        )


def require_room(turns: int, limit: int, whose: str) -> None:
    """Raises RateLimited if no more than these turns may be open at once."""
    if turns >= limit:
        raise RateLimited(
            Reason.REASON_MESSAGE_RATE,
            f"{turns} messages {whose} have no answer yet; wait for one of them",
            limit=limit,
        )


def require_same(row: Row, digest: bytes) -> None:
    """Raises Conflict if the request id was used for another request."""
    if row["request_digest"] != digest:
        raise Conflict(
            Reason.REASON_REQUEST_ID_REUSED,
            "this request id was used before for another message; use a new one",
            turn_id=row["id"],
        )


def asks(row: Row) -> bool:
    """Whether the turn waits for its user, and nobody leads it."""
    return bool(row["state"] == AWAITING_APPROVAL and not row["lease_owner"])


def require_lease(row: Row, number: int) -> None:
    """Raises Conflict if another one leads the turn by now, or if nobody does, for it asks."""
    if asks(row):
        raise Conflict(
            Reason.REASON_LEASE_LOST,
            "this turn waits for its user; nobody leads it until there is an answer",
            turn_id=row["id"],
            lease_number=row["lease_number"],
        )
    if row["lease_number"] != number:
        raise Conflict(
            Reason.REASON_LEASE_LOST,
            "this turn is led by somebody else by now",
            turn_id=row["id"],
            lease_number=row["lease_number"],
        )


def require_led(row: Row | None, number: int) -> None:
    """Raises why a write with this lease number found no turn to write to."""
    if row is None:
        raise unknown_turn()
    require_lease(row, number)
    raise Conflict(Reason.REASON_TURN_ENDED, "this turn is over", turn_id=row["id"])


def unknown_turn() -> NotFound:
    """There is no such turn in this tenant."""
    return NotFound(Reason.REASON_TURN_NOT_FOUND, "there is no such turn")


def _parsed(kind: type[Any], content: bytes | None) -> Any:
    return None if content is None else kind.FromString(content)
