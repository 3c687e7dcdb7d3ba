"""A client of Redis whose commands leave together.

A command costs the process of its caller five times what it costs Redis: a connection is taken,
checked, written to, waited for and given back. What is asked while the last commands are under way
leaves as one pipeline; a command that comes alone leaves at once, as itself.
"""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from servers.runtime.gathering import Gathering
from servers.runtime.steps import Steps

MOST_COMMANDS = 100
"""Most commands of one pipeline: their answers are in memory together."""

SHARE = 1 / 8
"""Of the period of streams: while the process is full a pipeline leaves each eight milliseconds."""

WAITING = frozenset({"XREAD"})
"""Commands that may wait in Redis: each has a connection of its own."""

_Command = tuple[tuple[Any, ...], dict[str, Any]]


class GatheringRedis(Redis):
    """Redis as redis-py has it; only how commands leave is different. Each succeeds or fails by
    itself, but for a connection that breaks under all of a pipeline."""

    _gathering: "Gathering[_Command, Any] | None" = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """The answer to one command."""
        if args[0] in WAITING:
            return await self._alone(args, options)
        if self._gathering is None:
            self._gathering = Gathering(self._together, MOST_COMMANDS, Steps(SHARE))
        answer = await self._gathering.ask((args, options))
        if isinstance(answer, ResponseError):
            raise answer
        return answer

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Closes the client; commands under way are broken off."""
        if self._gathering is not None:
            await self._gathering.close()
        await super().aclose(close_connection_pool)

    async def _together(self, commands: Sequence[_Command]) -> Sequence[Any]:
        """The answers, or in their place the errors that Redis gave."""
        if len(commands) == 1:
            try:
                return [await self._alone(*commands[0])]
            except ResponseError as error:
                return [error]
        async with self.pipeline(transaction=False) as pipeline:
            for args, options in commands:
                pipeline.execute_command(*args, **options)
            answers: Sequence[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    async def _alone(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        execute: Any = super().execute_command
        return await execute(*args, **options)
