"""Changes are functions of conversations: no store, no event loop."""

import pytest
from google.protobuf.struct_pb2 import Struct

from kari.conversation_models.v1.conversation_pb2 import (
    Conversation,
    ConversationChange,
    ConversationMode,
    Persona,
    PersonaChange,
)
from servers.conversation_manager.changes import (
    HOW,
    LARGEST_METADATA,
    MOST_PARTICIPANTS,
    MOST_PINS,
    apply,
    apply_all,
    difference,
    require_version,
)
from servers.runtime.errors import Conflict, InvalidRequest, NotFound

Change = ConversationChange


def conversation(**fields: object) -> Conversation:
    return Conversation(**({"id": "conv_1", "version": 7, "participant_ids": ["user_1"]} | fields))


def test_every_change_of_the_contract_can_be_made() -> None:
    contract = ConversationChange.DESCRIPTOR.oneofs_by_name["change"].fields
    assert {field.name for field in contract} == set(HOW)


def test_a_change_makes_a_new_version_and_leaves_the_old_conversation_alone() -> None:
    before = conversation()
    after = apply(before, Change(title="Plans"), 0)
    assert (after.title, after.version) == ("Plans", 8)
    assert before == conversation()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", ConversationMode.CONVERSATION_MODE_CODE),
        ("model", "local/smollm2-135m"),
        ("system_instructions", "Be brief."),
        ("title", "Plans"),
    ],
)
def test_a_plain_field_takes_the_new_value(field: str, value: object) -> None:
    assert getattr(apply(conversation(), Change(**{field: value}), 0), field) == value


def test_an_empty_model_returns_to_the_routing_rules() -> None:
    assert apply(conversation(model="local/x"), Change(model=""), 0).model == ""


def test_a_persona_is_put_on_and_taken_off() -> None:
    persona = Persona(name="technical_expert", traits={"tone": "formal"})
    on = apply(conversation(), Change(persona=PersonaChange(persona=persona)), 0)
    assert on.persona == persona
    assert not apply(on, Change(persona=PersonaChange()), 0).HasField("persona")


def test_pins_keep_the_order_in_which_they_were_made() -> None:
    pins = [Change(pin_message_id=f"msg_{n}") for n in (3, 1, 2)]
    after = apply_all(conversation(), [*pins, Change(unpin_message_id="msg_1")], 0)
    assert list(after.pinned_message_ids) == ["msg_3", "msg_2"]


def test_pinning_again_changes_nothing() -> None:
    after = apply(conversation(pinned_message_ids=["a", "b"]), Change(pin_message_id="a"), 0)
    assert list(after.pinned_message_ids) == ["a", "b"]


def test_there_is_a_most_of_pins_and_the_refusal_names_it() -> None:
    full = conversation(pinned_message_ids=[str(n) for n in range(MOST_PINS)])
    with pytest.raises(InvalidRequest, match="unpin one first") as caught:
        apply(full, Change(pin_message_id="one more"), 0)
    assert caught.value.details == {"limit": "20"}


def test_what_is_not_pinned_cannot_be_unpinned() -> None:
    with pytest.raises(NotFound, match="not pinned"):
        apply(conversation(), Change(unpin_message_id="msg_1"), 0)


def test_clearing_the_context_leaves_the_messages_so_far_out() -> None:
    after = apply(conversation(), Change(clear_context=True), 12)
    assert after.context_cleared_through == 12


def test_participants_come_and_go() -> None:
    came = apply(conversation(), Change(add_participant_id="user_2"), 0)
    assert list(came.participant_ids) == ["user_1", "user_2"]
    left = apply(came, Change(remove_participant_id="user_1"), 0)
    assert list(left.participant_ids) == ["user_2"]
    assert difference(came.participant_ids, left.participant_ids) == (["user_1"], [])


def test_the_last_participant_stays() -> None:
    with pytest.raises(InvalidRequest, match="last participant"):
        apply(conversation(), Change(remove_participant_id="user_1"), 0)


def test_who_takes_no_part_cannot_be_removed() -> None:
    with pytest.raises(NotFound, match="takes no part"):
        apply(conversation(), Change(remove_participant_id="user_9"), 0)


def test_there_is_a_most_of_participants() -> None:
    full = conversation(participant_ids=[str(n) for n in range(MOST_PARTICIPANTS)])
    with pytest.raises(InvalidRequest, match="participants at most"):
        apply(full, Change(add_participant_id="user_x"), 0)
    assert apply(full, Change(add_participant_id="7"), 0).participant_ids == full.participant_ids


def test_metadata_are_replaced_whole_and_bounded() -> None:
    metadata, large = Struct(), Struct()
    metadata["color"] = "green"
    large["text"] = "x" * LARGEST_METADATA
    after = apply(conversation(metadata=large), Change(metadata=metadata), 0)
    assert after.metadata == metadata
    with pytest.raises(InvalidRequest, match="bytes at most"):
        apply(conversation(), Change(metadata=large), 0)


def test_changes_meant_for_another_version_are_refused() -> None:
    require_version(conversation(), 0)
    require_version(conversation(), 7)
    with pytest.raises(Conflict) as caught:
        require_version(conversation(), 6)
    assert caught.value.may_retry
    assert caught.value.details == {"expected": "6", "actual": "7"}
