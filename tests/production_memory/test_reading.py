"""Messages are read in pages, by id, or as the latest ones."""

from dataclasses import replace

from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.runtime.ids import new_id
from servers.runtime.session_buffer import SessionBuffer
from tests.production_memory.memory import CANCELLED, ENQUEUE, Memory, refusal


async def test_pages_go_back_from_the_latest_message(memory: Memory) -> None:
    for number in range(3):
        await memory.exchange(f"q{number}", f"a{number}")
    seen, token = [], ""
    while True:
        page = await memory.messages(page_size=4, page_token=token)
        seen.append([message.content for message in page.messages])
        if not (token := page.next_page_token):
            break
    assert seen == [["a2", "q2", "a1", "q1"], ["a0", "q0"]]


async def test_a_conversation_without_messages_is_an_empty_page(memory: Memory) -> None:
    assert await memory.messages() == contract.ListMessagesResponse()


async def test_the_turn_under_way_is_the_led_one_else_the_next(memory: Memory) -> None:
    running = (await memory.begin()).led_turn.turn
    waiting = (await memory.begin("waits", when_busy=ENQUEUE)).led_turn.turn
    assert (await memory.messages()).active_turn.id == running.id
    await memory.finish(running.id)
    assert (await memory.messages()).active_turn.id == waiting.id


async def test_a_forged_page_token_is_refused(memory: Memory) -> None:
    for token in ("rubbish", "WyJhIl0", "WzE4NDQ2NzQ0MDczNzA5NTUxNjE2XQ"):
        refused = await refusal(memory.messages(page_token=token))
        assert refused.violations[0].field == "page_token"


async def test_messages_by_id_come_in_the_order_asked_for(memory: Memory) -> None:
    ended = await memory.exchange("question", "answer")
    ids = [ended.answer.id, new_id("msg"), ended.turn.user_message_id]
    response = await memory.stub.GetMessages(
        contract.GetMessagesRequest(conversation_id=memory.conversation_id, message_ids=ids)
    )
    assert [message.content for message in response.messages] == ["answer", "question"]


async def test_messages_by_id_are_those_of_the_conversation_only(memory: Memory) -> None:
    ended = await memory.exchange("question", "answer")
    request = contract.GetMessagesRequest(
        conversation_id=new_id("conv"), message_ids=[ended.answer.id]
    )
    assert (await memory.stub.GetMessages(request)).messages == []


async def test_recent_messages_end_at_the_sequence_asked_for(memory: Memory) -> None:
    await memory.exchange("q0", "a0")
    await memory.exchange("q1", "a1")
    response = await memory.stub.ListRecentMessages(
        contract.ListRecentMessagesRequest(
            conversation_id=memory.conversation_id, through_sequence=3, limit=2
        )
    )
    assert [message.content for message in response.messages] == ["a0", "q1"]


async def test_committed_messages_are_in_the_session_buffer(memory: Memory) -> None:
    ended = await memory.exchange("question", "answer")
    buffer = SessionBuffer(memory.wiring.redis)
    tenant_id = memory.somebody.tenant_id
    found = await buffer.read(tenant_id, memory.conversation_id, 2, 10)
    assert [message.content for message in found] == ["question", "answer"]
    assert found[1] == ended.answer


async def test_reading_recent_messages_fills_the_buffer_again(memory: Memory) -> None:
    """After Redis lost it, say."""
    await memory.exchange("question", "answer")
    redis, tenant_id = await memory.wiring.redis.get(), memory.somebody.tenant_id
    await redis.delete(*(await redis.keys(f"kari:{tenant_id}:*")))
    await memory.stub.ListRecentMessages(
        contract.ListRecentMessagesRequest(
            conversation_id=memory.conversation_id, through_sequence=2, limit=50
        )
    )
    buffer = SessionBuffer(memory.wiring.redis)
    assert len(await buffer.read(tenant_id, memory.conversation_id, 2, 50)) == 2


async def test_another_tenant_finds_nothing(memory: Memory) -> None:
    ended = await memory.exchange("question", "answer")
    stranger = replace(memory.as_somebody(), conversation_id=memory.conversation_id)
    with stranger.somebody.acts(stranger.wiring):
        assert (await stranger.messages()).messages == []
        for call in (
            stranger.turn(ended.turn.id),
            stranger.cancel(ended.turn.id),
            stranger.finish(ended.turn.id),
            stranger.renew(ended.turn.id),
        ):
            assert (await refusal(call)).reason == Reason.REASON_TURN_NOT_FOUND


LONG = "長" * 100_000
"""The longest message that a person may send: 300 kB."""


async def say(memory: Memory, count: int) -> list[str]:
    """Ends as many turns with long messages and no answers; gives the messages' ids."""
    ids = []
    for _ in range(count):
        led = (await memory.begin(LONG)).led_turn
        await memory.finish(led.turn.id, "", state=CANCELLED)
        ids.append(led.message.id)
    return ids


async def test_pages_of_long_messages_stay_within_what_a_call_can_carry(memory: Memory) -> None:
    ids = await say(memory, 18)
    pages, token = [], ""
    while True:
        page = await memory.messages(page_token=token)
        pages.append([message.id for message in page.messages])
        assert page.ByteSize() < 2.1 * 1024 * 1024
        if not (token := page.next_page_token):
            break
    assert [len(page) for page in pages] == [6, 6, 6]
    assert [id_ for page in pages for id_ in page] == ids[::-1]


async def test_recent_long_messages_are_the_newest_that_can_be_carried(memory: Memory) -> None:
    ids = await say(memory, 8)
    response = await memory.stub.ListRecentMessages(
        contract.ListRecentMessagesRequest(
            conversation_id=memory.conversation_id, through_sequence=8, limit=200
        )
    )
    assert [message.id for message in response.messages] == ids[2:]


async def test_long_messages_by_id_are_all_named_but_not_all_told(memory: Memory) -> None:
    ids = await say(memory, 8)
    response = await memory.stub.GetMessages(
        contract.GetMessagesRequest(conversation_id=memory.conversation_id, message_ids=ids)
    )
    assert [message.id for message in response.messages] == ids
    assert [len(message.content) for message in response.messages] == [100_000] * 6 + [0] * 2


async def test_a_message_that_is_longer_than_a_page_is_a_page(memory: Memory) -> None:
    """Answers have no bound of their own."""
    begun = await memory.begin()
    await memory.finish(begun.led_turn.turn.id, LONG * 8)
    page = await memory.messages()
    assert [len(message.content) for message in page.messages] == [800_000]
    rest = await memory.messages(page_token=page.next_page_token)
    assert ([message.content for message in rest.messages], rest.next_page_token) == (["hello"], "")
