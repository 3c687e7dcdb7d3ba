"""The stdio transport: a child process, a JSON-RPC message a line.

The SDK's own reads lines of any length at any speed, gives the child more of our environment than
it needs, and leaves it behind when we are killed.
"""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import anyio
import mcp_types as mcp
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from servers.runtime.guardian import KILL
from servers.tool_integration.mcp.ending import Ending
from servers.tool_integration.mcp.flood import LONGEST_MESSAGE, Flood, Meter
from servers.tool_integration.mcp.leaving import Leaving
from servers.tool_integration.mcp.program import Program


@dataclass(frozen=True)
class _Child:
    """A child process and the pipes to it."""

    process: Process
    transport: asyncio.SubprocessTransport
    input: asyncio.StreamWriter
    output: asyncio.StreamReader
    errors: asyncio.StreamReader
    tail: bytearray = field(default_factory=bytearray)
    """The end of what it wrote to its standard error."""


Incoming: TypeAlias = SessionMessage | Exception
Streams: TypeAlias = tuple[
    MemoryObjectReceiveStream[Incoming], MemoryObjectSendStream[SessionMessage]
]

LEAVE_SECONDS = 2.0
"""After its input was closed, then again after SIGTERM."""
MOST_RUBBISH = 100
"""Lines in a row that are no messages: programs print a banner, some log to their output."""
TAIL = 2000


@asynccontextmanager
async def child(program: Program, ending: Ending, leaving: Leaving) -> AsyncIterator[Streams]:
    """Runs a program and speaks to it; at the end of the block it and what it started are gone.
    OSError if it cannot be started."""
    running = await _started(program)
    told, incoming = anyio.create_memory_object_stream[Incoming](0)
    outgoing, said = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks, told, incoming, outgoing, said:
        tasks.start_soon(_read, running, told, ending)
        tasks.start_soon(_write, running.input, said)
        tasks.start_soon(_keep_tail, running)
        try:
            yield incoming, outgoing
        finally:
            ending.leave()
            try:
                with anyio.CancelScope(shield=True):
                    await leaving.see_off(_stop(running))
            finally:
                tasks.cancel_scope.cancel()


async def _started(program: Program) -> _Child:
    """As `create_subprocess_exec` does, which keeps the transport to itself."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: SubprocessStreamProtocol(LONGEST_MESSAGE, loop),
        *program.guarded(),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=dict(program.env),
        cwd=program.folder,
        start_new_session=True,
    )
    process = Process(transport, protocol, loop)
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise OSError("a process without pipes")
    return _Child(process, transport, process.stdin, process.stdout, process.stderr)


async def _read(running: _Child, told: MemoryObjectSendStream[Incoming], ending: Ending) -> None:
    """Hands on messages until the output ends or is not to be borne. The session sees the end of
    the stream."""
    async with told:
        try:
            await _hand_on(running.output, told)
            status = await _status(running.process)
            ending.tell("ended", f"ended ({status})", running.tail.decode(errors="replace"))
        except Flood as error:
            ending.tell("flood", str(error))
        except ValueError:
            ending.tell("flood", f"sent a line of more than {LONGEST_MESSAGE // 1_048_576} MiB")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            ending.tell("closed", "was closed")


async def _hand_on(output: asyncio.StreamReader, told: MemoryObjectSendStream[Incoming]) -> None:
    clock = asyncio.get_running_loop().time
    meter, rubbish = Meter(clock()), 0
    while line := await output.readline():
        meter.note(len(line), clock())
        try:
            message = mcp.jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            rubbish += 1
            if rubbish >= MOST_RUBBISH:
                raise Flood("writes what is no message of MCP to its output") from None
            continue
        rubbish = 0
        await told.send(SessionMessage(message))


async def _write(to: asyncio.StreamWriter, said: MemoryObjectReceiveStream[SessionMessage]) -> None:
    """Writes messages a line each. A child that reads nothing makes us wait; its calls time out."""
    with suppress(ConnectionError, anyio.ClosedResourceError):
        async with said:
            async for each in said:
                text = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                to.write(text.encode() + b"\n")
                await to.drain()


async def _keep_tail(running: _Child) -> None:
    """Reads what it writes to its standard error, of which the end is kept."""
    while piece := await running.errors.read(65_536):
        running.tail.extend(piece)
        del running.tail[:-TAIL]


async def _status(process: Process) -> str:
    with suppress(TimeoutError):
        async with asyncio.timeout(LEAVE_SECONDS):
            await process.wait()
    code = process.returncode
    if code is None:
        return "its output is closed, though it runs"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


async def _stop(running: _Child) -> None:
    """Closes its input, which is how MCP says goodbye; then asks, then kills its group."""
    process = running.process
    running.input.close()
    for number in (signal.SIGTERM, KILL, signal.SIGKILL):
        if await _left(process):
            break
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
    await _left(process)
    # A pipe that nobody reads, or that somebody else holds, would stay open.
    running.transport.close()


async def _left(process: Process) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(LEAVE_SECONDS):
            await process.wait()
    return process.returncode is not None
