"""Runs a tool: within its time, whatever it does and whoever listens."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import grpc
import structlog

from kari.conversation_models.v1.tool_pb2 import ToolProgress
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import current
from servers.runtime.errors import KariError, TimedOut, Unavailable, from_rpc
from servers.runtime.tracebacks import without_text
from servers.tool_integration.checking import Admitted
from servers.tool_integration.results import Result, encoded, is_long
from servers.tool_integration.tool import Invocation, Json, Told, Tool

GRACE_SECONDS = 1.0
"""What a tool gets to end in once it is cancelled; after that it is left to itself."""
MOST_WAITING = 1000
"""Pieces of progress that wait for their reader; more are left out."""
MARGIN_SECONDS = 0.2
"""Of the caller's time: the result still has to reach it."""
THREADS = 2
"""That check and cut results of megabytes, which takes seconds; more of those wait."""

log = structlog.get_logger("kari.tool_integration")


async def run(
    admitted: Admitted, invocation: Invocation
) -> AsyncGenerator[ToolProgress | Result, None]:
    """Progress as it is reported, then the result. KariError if the tool failed, hung or gave
    rubbish. Closing the generator ends the tool."""
    queue: asyncio.Queue[ToolProgress | None] = asyncio.Queue()

    def report(progress: ToolProgress) -> None:
        if queue.qsize() < MOST_WAITING:
            queue.put_nowait(progress)

    def over(task: "asyncio.Task[Result]") -> None:
        if not task.cancelled() and isinstance(task.exception(), TimedOut):
            # Whoever reads slowly hears of it at once.
            while not queue.empty():
                queue.get_nowait()
        queue.put_nowait(None)

    heard = replace(invocation, report=report)
    task = asyncio.create_task(_in_time(admitted, heard))
    task.add_done_callback(over)
    try:
        while (step := await queue.get()) is not None:
            step.call_id = invocation.call_id
            yield step
        yield task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _in_time(admitted: Admitted, invocation: Invocation) -> Result:
    """What the tool gives within its time; TimedOut if it takes longer, whether or not anybody
    reads what it reports. Cancelling this ends the tool."""
    seconds, remaining = admitted.offer.tool.timeout, current().remaining()
    if remaining is not None:
        seconds = min(seconds, max(0.0, remaining - MARGIN_SECONDS))
    task = asyncio.create_task(_handled(admitted, invocation))
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise TimedOut(
                Reason.REASON_TOOL_TIMEOUT,
                f"the tool took longer than {seconds:.3g} s",
                limit_seconds=f"{seconds:.3g}",
            )
        if task.cancelled():
            raise _failed(invocation.tool_id)
        return task.result()
    finally:
        await _ended(task, invocation.tool_id)


async def _handled(admitted: Admitted, invocation: Invocation) -> Result:
    tool = admitted.offer.tool
    try:
        value = await admitted.offer.handler(admitted.arguments, invocation)
        return await _encoded(tool, value)
    except KariError:
        raise
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error
    except asyncio.CancelledError:
        raise
    # Whatever a tool raises, SystemExit too, ends its call and nothing else.
    except BaseException as error:
        log.error("a tool failed", tool=tool.id, traceback=without_text(error))
        raise _failed(tool.id) from error


async def _encoded(tool: Tool, value: Json | Told) -> Result:
    if not is_long(value):
        return encoded(tool, value)
    return await asyncio.get_running_loop().run_in_executor(_threads(), encoded, tool, value)


@cache
def _threads() -> ThreadPoolExecutor:
    """Not those of the loop, for which the rest of the process would wait."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="long-results")


def _failed(tool_id: str) -> Unavailable:
    return Unavailable(
        Reason.REASON_TOOL_FAILED,
        f"`{tool_id}` failed; the correlation id finds the cause in the logs",
        retryable=False,
    )


async def _ended(task: "asyncio.Task[Result]", tool_id: str) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE_SECONDS)
    if not task.done():
        log.error("a tool does not end", tool=tool_id)
    elif not task.cancelled():
        task.exception()
