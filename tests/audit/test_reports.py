"""What servers report of calls, into a real trail."""

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from kari.audit.v1.audit_pb2 import ListRecordsRequest, Record
from kari.audit.v1.audit_pb2_grpc import AuditServiceStub
from kari.conversation_manager.v1.conversation_manager_pb2 import (
    CreateConversationRequest,
    GetConversationRequest,
    UpdateConversationRequest,
)
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from kari.conversation_models.v1.audit_pb2 import AuditOutcome
from kari.conversation_models.v1.conversation_pb2 import ConversationChange, ConversationMode
from servers.runtime.channels import Channels
from servers.runtime.ids import new_id
from servers.runtime.mesh_key import OPERATOR
from servers.wiring import Wiring, contract_of
from tests.breakable_stores import BreakableStores
from tests.hosting import Somebody, hosting, until

SERVICE = "kari.conversation_manager.v1.ConversationManagerService"
CREATED, UPDATED = f"{SERVICE}/CreateConversation", f"{SERVICE}/UpdateConversation"


class Office:
    """A conversation manager that reports, and what was kept of it."""

    def __init__(self, wiring: Wiring, stores: BreakableStores) -> None:
        self.stores = stores
        self.somebody = Somebody()
        self.wiring = wiring
        self.manager = wiring.stub(
            "chat_hub", "conversation_manager", ConversationManagerServiceStub
        )
        channels = Channels(OPERATOR, frozenset({"audit"}), wiring.address_of, wiring.mesh_key)
        self._audit = AuditServiceStub(channels.to("audit", contract_of("audit")))

    async def create(self) -> str:
        """A conversation."""
        request = CreateConversationRequest(request_id=new_id("req"), title="a private title")
        return (await self.manager.CreateConversation(request)).conversation.id

    async def records(self, count: int) -> list[Record]:
        """The records of the user, once there are so many."""
        found = list[Record]()

        async def enough() -> bool:
            request = ListRecordsRequest(user_id=self.somebody.user_id, page_size=200)
            response = await self._audit.ListRecords(request)
            found[:] = response.records
            return len(found) >= count

        await until(enough)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reporting(
    trail_stores: BreakableStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Wiring]:
    """Servers that report."""
    names = ("conversation_manager", "production_memory", "audit")
    data = tmp_path_factory.mktemp("reporting")
    settings = trail_stores.settings().model_copy(update={"data": data})
    async with hosting(settings, *names) as wiring:
        yield wiring


@pytest.fixture
def office(reporting: Wiring, trail_stores: BreakableStores) -> Office:
    """Somebody whose records are looked at."""
    return Office(reporting, trail_stores)


async def test_changes_and_refusals_are_reported_and_reads_are_not(office: Office) -> None:
    """As the contract says: who, what, what came of it; and nothing of what was said."""
    with office.somebody.acts(office.wiring):
        conversation = await office.create()
        await office.manager.GetConversation(GetConversationRequest(conversation_id=conversation))
        change = ConversationChange(mode=ConversationMode.CONVERSATION_MODE_CODE)
        with pytest.raises(grpc.aio.AioRpcError):
            await office.manager.UpdateConversation(
                UpdateConversationRequest(
                    conversation_id=conversation, request_id=new_id("req"), changes=[change]
                )
            )
    created, refused = await office.records(2)
    assert [created.entry.action, refused.entry.action] == [CREATED, UPDATED]
    assert created.entry.outcome == AuditOutcome.AUDIT_OUTCOME_DONE
    assert refused.entry.outcome == AuditOutcome.AUDIT_OUTCOME_REFUSED
    assert refused.entry.reason == "REASON_ROLE_MISSING"
    for record in (created, refused):
        assert record.server == "conversation_manager"
        assert record.entry.user_id == office.somebody.user_id
        assert record.entry.tenant_id == office.somebody.tenant_id
        assert record.entry.details["caller"] == "chat_hub"
        assert record.entry.correlation_id
        assert "private" not in str(record)


async def test_a_call_that_fails_is_reported_with_its_reason(office: Office) -> None:
    """A change of a conversation that is not there."""
    with office.somebody.acts(office.wiring), pytest.raises(grpc.aio.AioRpcError):
        await office.manager.UpdateConversation(
            UpdateConversationRequest(
                conversation_id=new_id("conv"),
                request_id=new_id("req"),
                changes=[ConversationChange(title="x")],
            )
        )
    (failed,) = await office.records(1)
    assert failed.entry.outcome == AuditOutcome.AUDIT_OUTCOME_FAILED
    assert failed.entry.reason == "REASON_CONVERSATION_NOT_FOUND"


async def test_records_wait_while_the_trail_is_away(office: Office) -> None:
    """In order, each once, when it is back; the calls are not held up."""
    with office.somebody.acts(office.wiring):
        await office.create()
        await office.records(1)
        await office.stores.kill("postgres")
        for _ in range(5):
            with pytest.raises(grpc.aio.AioRpcError):
                await office.create()
        await office.stores.start("postgres")
        await office.create()
    records = await office.records(7)
    assert [r.entry.outcome for r in records] == [
        AuditOutcome.AUDIT_OUTCOME_DONE,
        *[AuditOutcome.AUDIT_OUTCOME_FAILED] * 5,
        AuditOutcome.AUDIT_OUTCOME_DONE,
    ]
