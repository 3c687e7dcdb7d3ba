"""A code execution with its audit trail."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from kari.audit.v1.audit_pb2 import ListRecordsRequest, Record
from kari.audit.v1.audit_pb2_grpc import AuditServiceStub
from kari.code_execution.v1.code_execution_pb2 import RunRequest, RunResponse
from kari.code_execution.v1.code_execution_pb2_grpc import CodeExecutionServiceStub
from servers.runtime.channels import Channels
from servers.runtime.mesh_key import OPERATOR
from servers.runtime.settings import Settings
from servers.wiring import Wiring, contract_of
from tests.hosting import Somebody, hosting, settings_for, until

if TYPE_CHECKING:
    from kari.code_execution.v1.code_execution_pb2_grpc import CodeExecutionServiceAsyncStub

ROLES = frozenset({"chat.user", "chat.tools.code"})
BOTH = {"code_runners": "monty,cpython", "code_warm_workers": 1}
STRICT = {
    "code_seconds": 2.0,
    "code_functions": "mean",
    "code_monty_modules": "math",
    "code_cpython_role": "chat.power",
}


@dataclass
class Bench:
    """A server that runs code, and somebody who may."""

    wiring: Wiring
    stub: "CodeExecutionServiceAsyncStub"
    somebody: Somebody = field(default_factory=lambda: Somebody(roles=ROLES))

    @classmethod
    def of(cls, wiring: Wiring) -> "Bench":
        """The server of a running mesh."""
        return cls(
            wiring, wiring.stub("tool_integration", "code_execution", CodeExecutionServiceStub)
        )

    async def run(self, code: str, **more: object) -> RunResponse:
        """Runs a program."""
        with self.somebody.acts(self.wiring):
            return await self.stub.Run(RunRequest(code=code, **more))  # type: ignore[arg-type]

    async def records(self, count: int) -> list[Record]:
        """The user's records, once there are so many."""
        channels = Channels(
            OPERATOR, frozenset({"audit"}), self.wiring.address_of, self.wiring.mesh_key
        )
        audit = AuditServiceStub(channels.to("audit", contract_of("audit")))
        found = list[Record]()

        async def enough() -> bool:
            asked = ListRecordsRequest(tenant_id=self.somebody.tenant_id, page_size=200)
            found[:] = (await audit.ListRecords(asked)).records
            return len(found) >= count

        await until(enough)
        await channels.close()
        return found


@pytest_asyncio.fixture(scope="module")
async def shared(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Wiring]:
    """A server with both runners, for all tests of a file that ask for nothing else."""
    made = settings_for(stores, tmp_path_factory.mktemp("code") / "data")
    both = made.model_copy(update=BOTH | {"code_seconds": 20.0})
    async with hosting(both, "code_execution", "audit") as wiring:
        yield wiring


@pytest.fixture
def both(shared: Wiring) -> Bench:
    """The shared server, and somebody who was not there before."""
    return Bench.of(shared)


@pytest_asyncio.fixture(scope="module")
async def strict_server(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Wiring]:
    """A server whose operator allows little."""
    made = settings_for(stores, tmp_path_factory.mktemp("strict") / "data")
    strict = made.model_copy(update=BOTH | STRICT)
    async with hosting(strict, "code_execution", "audit") as wiring:
        yield wiring


@pytest.fixture
def strict(strict_server: Wiring) -> Bench:
    """The strict server, and somebody who was not there before."""
    return Bench.of(strict_server)


Benches = Callable[..., AbstractAsyncContextManager[Bench]]


@pytest.fixture
def bench(settings: Settings) -> Benches:
    """Serves code execution and audit with these changes of the settings."""

    @asynccontextmanager
    async def serving(**changes: object) -> AsyncIterator[Bench]:
        changed = settings.model_copy(update=changes)
        async with hosting(changed, "code_execution", "audit") as wiring:
            yield Bench.of(wiring)

    return serving
