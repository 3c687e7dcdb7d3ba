"""A message is taken in once, in order, with its turn."""

import asyncio

import pytest

from kari.conversation_models.v1.turn_pb2 import TurnState
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.ids import new_id
from tests.production_memory.memory import ENQUEUE, INTERRUPT, Memory, refusal


async def test_a_message_is_committed_with_its_turn_and_the_caller_leads(memory: Memory) -> None:
    begun = await memory.begin("What is a lease?")
    led = begun.led_turn
    assert led.turn.state == TurnState.TURN_STATE_ASSEMBLING
    assert (led.lease.owner, led.lease.number) == (memory.owner, 1)
    assert (led.message.content, led.message.sequence) == ("What is a lease?", 1)
    assert (led.tenant_id, led.roles) == (memory.somebody.tenant_id, ["chat.user"])
    (stored,) = (await memory.messages()).messages
    assert stored == led.message
