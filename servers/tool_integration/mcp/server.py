"""One MCP server: kept running, its tools known, its calls made."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

import structlog

from kari.conversation_models.v1.tool_pb2 import ToolProgress
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import current
from servers.runtime.errors import Unavailable
from servers.tool_integration.mcp import metrics
from servers.tool_integration.mcp.answers import LONGEST_ERROR, complaint_of, json_of
from servers.tool_integration.mcp.configuration import McpServerEntry
from servers.tool_integration.mcp.connection import Connection, Lost, Misbehaved, Refused
from servers.tool_integration.mcp.describing import Described, bounded, described
from servers.tool_integration.mcp.ending import Ending
from servers.tool_integration.mcp.restarting import Backoff, Uniform
from servers.tool_integration.mcp.verdict import names_of, verdict
from servers.tool_integration.tool import Invocation, Json, Offer

LOOK_SECONDS = 60.0
"""How often the list is asked for, by servers that do not say when it changes and to see that a
server is well. A call that came to no good makes it at once."""
REST_SECONDS = 1.0
"""From one asking to the next, however often the server says that its list changed."""
LONGEST_PROGRESS = 300
MOST_LOGGED = 5

log = structlog.get_logger("kari.tool_integration.mcp")

Connect = Callable[[Ending], AbstractAsyncContextManager[Connection]]


class McpServer:
    """A server and its tools. `connect` opens a connection to it."""

    def __init__(
        self, name: str, entry: McpServerEntry, connect: Connect, uniform: Uniform
    ) -> None:
        self.name = name
        self.offers: Sequence[Offer] = ()
        self._entry = entry
        self._connect = connect
        self._backoff = Backoff(uniform)
        self._described = Described()
        self._connection: Connection | None = None
        self.away = "is being started"
        """Why it cannot be called, as the rest of "the server ..."; empty if it can."""
        self._listed = False
        self._tried = asyncio.Event()
        metrics.UP.labels(name).set(0)

    @property
    def unlisted(self) -> str:
        """Why nobody knows its tools; empty once it has told its list."""
        return "" if self._listed else f"the MCP server `{self.name}` {self.away}"

    async def tried_once(self, seconds: float) -> None:
        """Returns once it has been started, or could not be, but after so long at the latest: no
        more than half of the call's time."""
        remaining = current().remaining()
        with suppress(TimeoutError):
            async with asyncio.timeout(
                seconds if remaining is None else min(seconds, remaining / 2)
            ):
                await self._tried.wait()

    async def run(self) -> None:
        """Keeps it running until cancelled, which ends it."""
        while True:
            lived = await self._once()
            _end_if_cancelled()
            wait = self._backoff.wait(lived)
            log.info("an MCP server is started anew", server=self.name, wait=round(wait, 2))
            await asyncio.sleep(wait)

    def require(self) -> None:
        """Unavailable, with the reason, if it cannot be called."""
        if self._connection is None:
            raise self._unavailable()

    async def call(self, tool: str, arguments: Mapping[str, Json], invocation: Invocation) -> Json:
        """Calls one of its tools by the server's own name for it. Unavailable says what went
        wrong."""
        connection = self._connection
        if connection is None:
            raise self._unavailable()
        try:
            result = await connection.call(tool, arguments, partial(_report, invocation))
        except Lost as error:
            why = connection.ending.why or "ended"
            raise self._unavailable(f"{why}, during the call") from error
        except Refused as error:
            connection.changed.set()
            raise self._failed(bounded(str(error), LONGEST_ERROR)) from error
        except Misbehaved as error:
            raise self._failed(str(error), Reason.REASON_TOOL_RESULT) from error
        except asyncio.CancelledError:
            # Its time was over, or somebody called it off: a look says whether the server is well.
            connection.changed.set()
            raise
        if result.is_error:
            raise self._failed(complaint_of(result))
        return json_of(result)

    async def _once(self) -> float:
        """A connection from beginning to end; how many seconds it was of use."""
        ending, began = Ending(), 0.0
        clock = asyncio.get_running_loop().time
        try:
            async with self._connect(ending) as connection:
                await self._list(connection)
                began = clock()
                await self._attend(connection)
        # Whatever a server of somebody else's makes the SDK raise, it ends this connection.
        except Exception as error:  # noqa: BLE001
            how, why = verdict(error, ending, self._entry)
            ending.conclude(how, why, f"{ending.detail} {names_of(error)}".strip())
        finally:
            self._connection = None
        self._ended(ending)
        return clock() - began if began else 0.0

    async def _attend(self, connection: Connection) -> None:
        """Follows its list until the connection is over."""
        self._connection, self.away, self._listed = connection, "", True
        self._offer()
        self._tried.set()
        metrics.UP.labels(self.name).set(1)
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(connection.follow())
            try:
                while not await self._over(connection):
                    await self._list(connection)
            finally:
                following.cancel()

    async def _over(self, connection: Connection) -> bool:
        """Waits for the next reason to ask for the list; true if there is nobody to be asked."""
        over = asyncio.create_task(connection.ending.over.wait())
        changed = asyncio.create_task(connection.changed.wait())
        try:
            await asyncio.wait(
                {over, changed}, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if changed.done():
                await asyncio.wait({over}, timeout=REST_SECONDS)
        finally:
            over.cancel()
            changed.cancel()
        connection.changed.clear()
        return connection.ending.over.is_set()

    async def _list(self, connection: Connection) -> None:
        found = described(self.name, self._entry, await connection.tools())
        if found == self._described:
            return
        self._described = found
        self._offer()
        _log(self.name, found)

    def _offer(self) -> None:
        """Makes the offers anew, as they are just now."""
        away = f"the MCP server `{self.name}` {self.away}" if self.away else ""
        self.offers = tuple(
            Offer(tool, partial(self.call, name), unavailable=away)
            for name, tool in self._described.tools.items()
        )

    def _ended(self, ending: Ending) -> None:
        self.away = f"{ending.why or 'closed the connection'}; it is started anew by itself"
        self._offer()
        self._tried.set()
        metrics.UP.labels(self.name).set(0)
        metrics.ENDINGS.labels(self.name, ending.how or "closed").inc()
        log.warning(
            "an MCP server is away", server=self.name, cause=ending.why, detail=ending.detail
        )

    def _unavailable(self, why: str = "") -> Unavailable:
        return Unavailable(
            Reason.REASON_TOOL_UNAVAILABLE, f"the MCP server `{self.name}` {why or self.away}"
        )

    def _failed(
        self, said: str, reason: Reason.ValueType = Reason.REASON_TOOL_FAILED
    ) -> Unavailable:
        return Unavailable(reason, f"the MCP server `{self.name}` says: {said}", retryable=False)


def _log(server: str, found: Described) -> None:
    """Says what is known of a new list."""
    for tool, why in found.refused[:MOST_LOGGED]:
        log.warning("a tool is left out", server=server, tool=tool, cause=why)
    known, refused = len(found.tools), len(found.refused)
    log.info("the tools of an MCP server are known", server=server, tools=known, left_out=refused)
    metrics.TOOLS.labels(server).set(known)
    metrics.REFUSED.labels(server).inc(refused)


def _end_if_cancelled() -> None:
    """A cancellation that comes while the SDK takes down a connection that failed is lost in it:
    what it raises then is the failure alone."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _report(
    invocation: Invocation, progress: float, total: float | None, message: str | None
) -> None:
    said = ToolProgress(message=bounded(message or "", LONGEST_PROGRESS))
    if total and total > 0 and progress >= 0:
        said.fraction = min(1.0, progress / total)
    invocation.report(said)
