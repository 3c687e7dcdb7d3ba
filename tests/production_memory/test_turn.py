"""The rules of turns are functions: no store, no event loop."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.turn_pb2 import TurnState, WhenBusy
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import BeginTurnRequest, Lease
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.message import storable, timestamp
from servers.production_memory.turn import (
    digest_of,
    led_turn_of,
    name_of,
    require_lease,
    require_led,
    require_place,
    turn_of,
)
from servers.production_memory.vectorizing import by_tenant
from servers.runtime.errors import Conflict, NotFound

REQUEST = BeginTurnRequest(content="hello", request_id="r1", lease=Lease(owner="a"))


def row(**columns: Any) -> dict[str, Any]:
    """A row of `turns`."""
    return {
        "id": "turn_1",
        "tenant_id": "tenant_1",
        "conversation_id": "conv_1",
        "request_id": "r1",
        "state": "generating",
        "user_message_id": "msg_1",
        "assistant_message_id": "",
        "user_id": "user_1",
        "roles": ["chat.user"],
        "correlation_id": "c1",
        "model": "",
        "instructions": [],
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "ended_at": None,
        "lease_owner": "a",
        "lease_number": 3,
        "selection": None,
        "usage": None,
        "degradations": [],
        "error": None,
    } | columns


@pytest.mark.parametrize("state", [s for s in TurnState.values() if s])
def test_every_state_has_a_name_in_the_table(state: TurnState.ValueType) -> None:
    assert turn_of(row(state=name_of(state))).state == state


def test_what_is_not_there_is_not_set() -> None:
    turn = turn_of(row())
    for field in ("ended_at", "error", "selection", "usage"):
        assert not turn.HasField(field)


def test_only_the_owner_of_the_lease_is_given_it() -> None:
    assert led_turn_of(row(), Message(), "a").lease.number == 3
    assert not led_turn_of(row(), Message(), "b").HasField("lease")


@pytest.mark.parametrize("state", ["accepted", "completed", "failed", "cancelled"])
def test_a_turn_that_waits_or_is_over_has_no_lease(state: str) -> None:
    assert not led_turn_of(row(state=state), Message(), "a").HasField("lease")


def test_a_request_is_the_same_whoever_leads_and_however_it_waits() -> None:
    again = BeginTurnRequest()
    again.CopyFrom(REQUEST)
    again.lease.owner = "b"
    again.when_busy = WhenBusy.WHEN_BUSY_ENQUEUE
    assert digest_of(again, "user_1") == digest_of(REQUEST, "user_1")


def test_another_text_or_another_user_is_another_request() -> None:
    other = BeginTurnRequest()
    other.CopyFrom(REQUEST)
    other.content = "hello!"
    digests = {digest_of(REQUEST, "user_1"), digest_of(other, "user_1"), digest_of(REQUEST, "u")}
    assert len(digests) == 3


@pytest.mark.parametrize("when_busy", [0, WhenBusy.WHEN_BUSY_REJECT])
def test_a_busy_conversation_refuses_who_does_not_wait(when_busy: WhenBusy.ValueType) -> None:
    require_place(when_busy, "")
    with pytest.raises(Conflict) as caught:
        require_place(when_busy, "turn_0")
    assert caught.value.details == {"turn_id": "turn_0"}
    assert caught.value.may_retry


def test_a_busy_conversation_takes_who_waits_or_interrupts() -> None:
    for when_busy in (WhenBusy.WHEN_BUSY_ENQUEUE, WhenBusy.WHEN_BUSY_INTERRUPT):
        require_place(when_busy, "turn_0")


@pytest.mark.parametrize("number", [0, 2, 4])
def test_any_other_number_than_the_lease_s_is_fenced_off(number: int) -> None:
    with pytest.raises(Conflict) as caught:
        require_lease(row(), number)
    assert caught.value.reason == Reason.REASON_LEASE_LOST


def test_a_leader_without_a_turn_is_told_why() -> None:
    with pytest.raises(NotFound):
        require_led(None, 1)
    with pytest.raises(Conflict) as lost:
        require_led(row(), 2)
    with pytest.raises(Conflict) as over:
        require_led(row(state="completed"), 3)
    assert lost.value.reason == Reason.REASON_LEASE_LOST
    assert over.value.reason == Reason.REASON_TURN_ENDED


def test_texts_of_models_lose_only_what_postgres_cannot_hold() -> None:
    assert storable("a\0b\n\t🎉") == "a\ufffdb\n\t🎉"


def test_moments_keep_their_microseconds() -> None:
    moment = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
    found = timestamp(moment)
    assert found is not None
    assert found.ToDatetime(UTC) == moment
    assert timestamp(None) is None


def test_a_job_says_whose_messages_and_nothing_of_them() -> None:
    job = EmbedJob("tenant_1", ("msg_1", "msg_2"))
    assert EmbedJob.parse(job.payload()) == job
    assert job.payload() == b'{"tenant": "tenant_1", "messages": ["msg_1", "msg_2"]}'


@pytest.mark.parametrize("payload", [None, b"", b"{}", b"[]", b'{"tenant": 1, "messages": []}'])
def test_a_payload_that_is_no_job_is_refused(payload: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"job|Expecting"):
        EmbedJob.parse(payload)


def test_jobs_are_read_tenant_by_tenant() -> None:
    jobs = [EmbedJob("a", ("1", "2")), EmbedJob("b", ("3",)), EmbedJob("a", ("4",))]
    assert by_tenant(jobs) == {"a": ["1", "2", "4"], "b": ["3"]}
