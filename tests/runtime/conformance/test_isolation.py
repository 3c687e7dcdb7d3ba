"""A handler knows of its caller what metadata say, and no more."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

from tests.runtime.conformance.service import GOOD, Serve, at_once, outcome, text

mine: ContextVar[str] = ContextVar("mine", default="nobody's")


async def test_a_handler_does_not_see_its_caller_s_context(serve: Serve, cardinality: str) -> None:
    async def one(_request: Any, _context: Any) -> Any:
        return text(mine.get())

    async def many(request: Any, context: Any) -> AsyncIterator[Any]:
        yield await one(request, context)

    handler = many if cardinality.endswith("stream") else one
    async with serve(**{cardinality: handler}) as served:
        token = mine.set("the caller's")
        found = await outcome(served.call(cardinality, "a"))
        mine.reset(token)
    assert found[0] == ["nobody's"]


async def test_a_caller_does_not_see_its_handler_s_context(serve: Serve) -> None:
    async def one(_request: Any, _context: Any) -> Any:
        mine.set("the handler's")
        return text()

    async def many(_request: Any, _context: Any) -> AsyncIterator[Any]:
        mine.set("the handler's")
        yield text()

    async with serve(unary_unary=one, unary_stream=many) as served:
        for cardinality in ("unary_unary", "unary_stream"):
            await outcome(served.call(cardinality))
    assert mine.get() == "nobody's"


async def test_callbacks_of_a_call_know_what_its_caller_knows(
    serve: Serve, cardinality: str
) -> None:
    """Though it is the server that ends the call."""
    seen = asyncio.Queue[str]()
    async with serve(**GOOD) as served:
        token = mine.set("the caller's")
        call = served.call(cardinality, "a")
        call.add_done_callback(lambda _: seen.put_nowait(mine.get()))
        mine.reset(token)
        await outcome(call)
        assert await asyncio.wait_for(seen.get(), 5) == "the caller's"


async def test_calls_do_not_see_each_other_s_context(serve: Serve) -> None:
    async def keep(request: Any, _context: Any) -> AsyncIterator[Any]:
        mine.set(request.value)
        yield text(mine.get())
        await asyncio.sleep(0.01)
        yield text(mine.get())

    async with serve(unary_stream=keep) as served:
        found = await at_once(20, lambda i: outcome(served.call("unary_stream", str(i))))
    assert [values for values, _ in found] == [[str(i)] * 2 for i in range(20)]


async def test_a_handler_runs_in_a_task_of_its_own(serve: Serve, cardinality: str) -> None:
    """From its first line to its last."""
    tasks: list[Any] = []

    async def one(_request: Any, _context: Any) -> Any:
        tasks.append(asyncio.current_task())
        await asyncio.sleep(0)
        tasks.append(asyncio.current_task())
        return text()

    async def many(request: Any, context: Any) -> AsyncIterator[Any]:
        yield await one(request, context)
        tasks.append(asyncio.current_task())

    handler = many if cardinality.endswith("stream") else one
    async with serve(**{cardinality: handler}) as served:
        await outcome(served.call(cardinality, "a"))
    assert len(set(tasks)) == 1
    assert asyncio.current_task() not in tasks


async def test_a_caller_s_failure_reaches_no_handler_but_its_own(serve: Serve) -> None:
    """A task that dies in the middle of its call leaves the others alone."""
    go_on = asyncio.Event()

    async def wait(request: Any, _context: Any) -> Any:
        await go_on.wait()
        return text(request.value)

    async with serve(unary_unary=wait) as served:
        tasks = [asyncio.ensure_future(outcome(served.call("unary_unary", c))) for c in "abc"]
        await asyncio.sleep(0.05)
        tasks[1].cancel()
        go_on.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [found[0][0], found[2][0]] == [["a"], ["c"]]
    assert isinstance(found[1], asyncio.CancelledError)
