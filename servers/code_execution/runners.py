"""The runners that are on: tested before they are used, and kept warm."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

from kari.code_execution.v1.code_execution_pb2 import Runner
from kari.errors.v1.errors_pb2 import Reason
from servers.code_execution.jails import MAKERS, Machine
from servers.code_execution.policy import Policy
from servers.code_execution.runner import JailedRunner
from servers.code_execution.self_test import prove
from servers.runtime.errors import Unavailable
from servers.runtime.jail.errors import NoJail
from servers.runtime.jail.starting import Starter
from servers.runtime.names import short

RETRY_SECONDS = 60.0
PATIENCE_SECONDS = 3.0
"""For a runner's test, of who asks whether it is there."""
WAIT_SECONDS = 10.0
"""For a runner's test, of who has a program to run."""
CHECKING = "its jail is being tested, which takes some seconds after the start"

log = structlog.get_logger("kari.code_execution")


class Runners:
    """The runners of a process. A runner whose jail does not hold is not used, and says why."""

    def __init__(self, policy: Policy, data: Path, keep: int) -> None:
        self._policy = policy
        self._data = data.absolute()
        self._keep = keep
        self._starter = Starter()
        self._made: list[JailedRunner] = []
        self._ready: dict[Runner.ValueType, JailedRunner] = {}
        self._wrong: dict[Runner.ValueType, str] = dict.fromkeys(policy.runners, CHECKING)
        self._looked = {kind: asyncio.Event() for kind in policy.runners}

    async def get(self, kind: Runner.ValueType) -> JailedRunner:
        """A runner that is on and holds; Unavailable, with the reason, if it does not, or if its
        test takes too long."""
        if not await self._waited(kind, WAIT_SECONDS):
            raise Unavailable(
                Reason.REASON_SERVER_UNAVAILABLE,
                f"the runner {short(Runner, kind)} is not ready yet: {CHECKING}; try again",
            )
        if kind in self._ready:
            return self._ready[kind]
        raise Unavailable(
            Reason.REASON_CODE_DISABLED,
            f"the runner {short(Runner, kind)} is not used: {self._wrong[kind]}",
            retryable=False,
        )

    async def wrong_with(self, kind: Runner.ValueType) -> str:
        """Why a runner that is on is not used; empty if it is. Waits a little for its test."""
        await self._waited(kind, PATIENCE_SECONDS)
        return self._wrong.get(kind, "")

    async def run(self) -> None:
        """Tests each and keeps it warm, for ever. One that fails is tried again after a minute:
        the machine may have been short of something."""
        async with asyncio.TaskGroup() as group:
            for kind in self._policy.runners:
                group.create_task(self._keep_up(kind))

    async def close(self) -> None:
        """Ends all workers."""
        for runner in self._made:
            await runner.workers.close()
        await asyncio.to_thread(self._starter.close)

    @asynccontextmanager
    async def health(self, kind: Runner.ValueType) -> AsyncIterator[Runner.ValueType]:
        """A runner as a resource, for health."""
        yield kind

    async def ping(self, kind: Runner.ValueType) -> None:
        """NoJail, with the reason, if a runner was tested and is not used."""
        if self._looked[kind].is_set() and self._wrong.get(kind):
            raise NoJail(self._wrong[kind])

    async def _waited(self, kind: Runner.ValueType, seconds: float) -> bool:
        """Whether a runner's first test came to its end within this time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._looked[kind].wait()
        return self._looked[kind].is_set()

    async def _keep_up(self, kind: Runner.ValueType) -> None:
        while True:
            runner = await self._tested(kind)
            if runner is not None:
                await runner.workers.run()
            await asyncio.sleep(RETRY_SECONDS)

    async def _tested(self, kind: Runner.ValueType) -> JailedRunner | None:
        if kind in self._ready:
            return self._ready[kind]
        try:
            machine = await asyncio.to_thread(Machine.found, self._policy.runners)
            runner = MAKERS[kind](machine, self._starter, self._policy, self._keep)
            await prove(runner, self._policy.limits, self._data)
        except (NoJail, OSError) as error:
            self._wrong[kind] = str(error)
            log.error("a runner of code is not used", runner=short(Runner, kind), cause=str(error))
            return None
        else:
            self._made.append(runner)
            self._ready[kind] = runner
            self._wrong.pop(kind, None)
            log.info("a runner of code holds", runner=short(Runner, kind))
            return runner
        finally:
            self._looked[kind].set()
