"""A request sent twice does its commands once, with the real conversation manager and production
memory: what `last` means may be another message by then, or none."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from kari.conversation_models.v1.conversation_pb2 import ConversationChange
from kari.conversation_models.v1.instruction_pb2 import InstructionStatus
from kari.errors.v1.errors_pb2 import Reason
from kari.instruction_processor.v1 import instruction_processor_pb2 as pb
from kari.instruction_processor.v1.instruction_processor_pb2_grpc import (
    InstructionProcessorServiceStub,
)
from tests.conversation_manager.manager import EVERY_ROLE, Manager
from tests.hosting import Somebody, hosting, settings_for
from tests.instruction_processor.orchestrator import ScriptedOrchestrator
from tests.instruction_processor.test_processing import refusal
from tests.production_memory.embedder import Embedder

NAMES = ("instruction_processor", "conversation_manager", "production_memory")
ENDS = "\nhello"


@dataclass
class House:
    """One conversation of a user."""

    manager: Manager
    orchestrator: ScriptedOrchestrator
    conversation_id: str = ""
    said: list[str] = field(default_factory=list)

    async def send(self, text: str, request_id: str = "req-1") -> pb.ProcessResponse:
        stub = self.manager.wiring.stub(
            "chat_hub", "instruction_processor", InstructionProcessorServiceStub
        )
        return await stub.Process(
            pb.ProcessRequest(
                conversation_id=self.conversation_id, content=text, request_id=request_id
            )
        )

    async def talk(self) -> None:
        """One more question and its answer."""
        memory = self.manager.memory(self.conversation_id)
        self.said.append((await memory.exchange("hello", "hi")).answer.id)

    async def pins(self) -> list[str]:
        return list((await self.manager.get(self.conversation_id)).pinned_message_ids)

    async def changes(self) -> list[ConversationChange]:
        """Every change that was made, the first one first."""
        log = (await self.manager.updates(self.conversation_id)).updates
        return [update.change for update in log[::-1]]


@pytest_asyncio.fixture
async def house(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    settings = settings_for(stores, tmp_path_factory.mktemp("repeats"))
    orchestrator = ScriptedOrchestrator()
    others = [Embedder().hosted(), orchestrator.hosted()]
    async with hosting(settings, *NAMES, others=others) as wiring:
        manager = Manager(wiring, Somebody(roles=EVERY_ROLE))
        with manager.somebody.acts(wiring):
            made = House(manager, orchestrator, (await manager.create()).id)
            await made.talk()
            yield made


@pytest.mark.parametrize("word", ["", " last"])
async def test_what_was_unpinned_stays_unpinned_and_the_turn_is_the_same(
    house: House, word: str
) -> None:
    await house.talk()
    await house.send(f"/pin {house.said[0]}\n/pin {house.said[1]}", "pins")
    first = await house.send(f"/unpin{word}{ENDS}")
    second = await house.send(f"/unpin{word}{ENDS}")
    assert first == second
    assert await house.pins() == [house.said[0]]
    await house.send(f"/unpin{word}", "req-2")
    assert await house.send(f"/unpin{word}{ENDS}") == first
    assert await house.pins() == []


async def test_a_request_that_is_under_way_twice_unpins_once(house: House) -> None:
    await house.talk()
    await house.send(f"/pin {house.said[0]}\n/pin {house.said[1]}", "pins")
    sent = await asyncio.gather(*(house.send("/unpin") for _ in range(5)))
    assert all(response == sent[0] for response in sent)
    assert await house.pins() == [house.said[0]]


@pytest.mark.parametrize("word", ["", " last", " answer"])
async def test_a_pin_means_the_message_that_it_meant_first(house: House, word: str) -> None:
    first = await house.send(f"/pin{word}{ENDS}")
    await house.talk()
    assert await house.send(f"/pin{word}{ENDS}") == first
    assert await house.pins() == [house.said[0]]
    assert len(house.orchestrator.started) == 1


async def test_a_persona_is_proposed_once(house: House) -> None:
    text = "/persona expert tone=formal" + ENDS
    first = await house.send(text)
    second = await house.send(text)
    assert first == second
    assert first.results[0].status == InstructionStatus.INSTRUCTION_STATUS_NEEDS_CONFIRMATION
    await house.manager.answer(house.conversation_id, first.results[0].proposal_id)
    assert await house.send(text) == first
    assert len(await house.changes()) == 1


async def test_another_request_means_what_is_there_now(house: House) -> None:
    await house.send("/pin")
    await house.talk()
    await house.send("/pin", "req-2")
    assert await house.pins() == house.said


async def test_an_id_is_not_used_for_another_command(house: House) -> None:
    await house.send("/pin")
    error = await refusal(house.send("/unpin"))
    assert error.reason == Reason.REASON_REQUEST_ID_REUSED
    assert await house.pins() == house.said


async def test_status_shows_the_latest_three_changes(house: House) -> None:
    for title in "abcd":
        await house.send(f"/title {title}", f"req-{title}")
    (shown,) = (await house.send("/status")).results
    _, _, latest = shown.text.partition("latest changes")
    assert [f"`{title}`" in latest for title in "dcba"] == [True, True, True, False]
