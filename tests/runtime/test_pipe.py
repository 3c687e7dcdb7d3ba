"""One direction of a stream in process: in order, bounded, and never stuck."""

import asyncio

from servers.runtime.in_process.pipe import EACH_BYTES, WINDOW_BYTES, Pipe


def pipe() -> Pipe:
    return Pipe(asyncio.get_running_loop())


async def filled(one: Pipe, message: bytes) -> int:
    """Puts messages in until a writer has to wait; gives how many fit."""
    count = 0
    while True:
        writing = asyncio.ensure_future(one.put(message))
        await asyncio.sleep(0)
        if not writing.done():
            writing.cancel()
            return count
        count += 1


async def test_a_window_of_bytes_fits() -> None:
    assert await filled(pipe(), b"x" * 1_000) == -(-WINDOW_BYTES // (1_000 + EACH_BYTES))


async def test_one_message_always_fits() -> None:
    """However large it is."""
    assert await filled(pipe(), b"x" * 1_000_000) == 1


async def test_empty_messages_are_bounded_too() -> None:
    """Each costs memory, though it has no bytes."""
    assert await filled(pipe(), b"") == WINDOW_BYTES // EACH_BYTES


async def test_a_writer_goes_on_when_there_is_room() -> None:
    one = pipe()
    await filled(one, b"x" * WINDOW_BYTES)
    writing = asyncio.ensure_future(one.put(b"next"))
    await asyncio.sleep(0)
    assert await one.get() == b"x" * WINDOW_BYTES
    assert await writing is True
    assert await one.get() == b"next"


async def test_a_reader_gets_what_comes_and_then_the_end() -> None:
    one = pipe()
    reading = asyncio.gather(*(one.get() for _ in range(3)))
    for message in (b"a", b"b"):
        await one.put(message)
    one.end()
    assert await reading == [b"a", b"b", None]


async def test_what_is_cut_drops_what_was_under_way() -> None:
    """Readers and writers are let go."""
    one, other = pipe(), pipe()
    await filled(one, b"x" * WINDOW_BYTES)
    writing, reading = asyncio.ensure_future(one.put(b"")), asyncio.ensure_future(other.get())
    await asyncio.sleep(0)
    one.cut()
    other.cut()
    assert (await writing, await reading, await one.get()) == (False, None, None)


async def test_nothing_is_put_after_the_end() -> None:
    one = pipe()
    one.end()
    assert await one.put(b"late") is False


async def test_a_cancelled_reader_leaves_its_turn_to_the_next() -> None:
    """Also one that was woken in the same moment."""
    one = pipe()
    first, second = (asyncio.ensure_future(one.get()) for _ in range(2))
    await asyncio.sleep(0)
    await one.put(b"a")
    first.cancel()
    assert await asyncio.wait_for(second, 5) == b"a"


async def test_a_cancelled_writer_leaves_its_turn_to_the_next() -> None:
    one = pipe()
    await filled(one, b"x" * WINDOW_BYTES)
    first, second = (asyncio.ensure_future(one.put(m)) for m in (b"1", b"2"))
    await asyncio.sleep(0)
    one.take()
    first.cancel()
    assert await asyncio.wait_for(second, 5) is True
    assert one.take() == b"2"
