"""Messages and turns of a conversation: who takes part is checked here, production memory has
them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kari.conversation_manager.v1 import conversation_manager_pb2 as contract
from kari.conversation_models.v1.turn_pb2 import Turn
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import (
    GetMessagesRequest,
    GetTurnManifestRequest,
    GetTurnManifestResponse,
    GetTurnRequest,
    GetTurnResponse,
    ListMessagesRequest,
    ListMessagesResponse,
)
from servers.conversation_manager.conversation import unknown_conversation
from servers.conversation_manager.manifest import shown_to_others
from servers.conversation_manager.tables import QUERIES
from servers.runtime.call import Principal
from servers.runtime.errors import NotFound
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )


class History:
    """Guards what production memory keeps: it knows tenants, but not who takes part."""

    def __init__(
        self,
        database: Resource[Database],
        production_memory: "ProductionMemoryServiceAsyncStub",
    ) -> None:
        self._database = database
        self._production_memory = production_memory

    async def messages(
        self, request: contract.ListMessagesRequest, who: Principal
    ) -> ListMessagesResponse:
        """A page of messages of a conversation of the user; else NotFound."""
        await self.require_participant(request.conversation_id, who)
        return await self._production_memory.ListMessages(
            ListMessagesRequest(
                conversation_id=request.conversation_id,
                page_size=request.page_size,
                page_token=request.page_token,
            )
        )

    async def turn(self, turn_id: str, who: Principal) -> GetTurnResponse:
        """A turn of a conversation of the user; NotFound names the turn, not the conversation."""
        found = await self._production_memory.GetTurn(GetTurnRequest(turn_id=turn_id))
        await self._require_turn(found.turn, who)
        return found

    async def manifest(self, turn_id: str, who: Principal) -> GetTurnManifestResponse:
        """How the prompt of a turn came about; as above. Only who sent its message is told what of
        their own went in."""
        found = await self._production_memory.GetTurnManifest(
            GetTurnManifestRequest(turn_id=turn_id)
        )
        await self._require_turn(found.turn, who)
        if found.HasField("manifest") and found.turn.user_id != who.user_id:
            shown = shown_to_others(found.manifest, found.turn.conversation_id)
            return GetTurnManifestResponse(turn=found.turn, manifest=shown)
        return found

    async def require_messages(
        self, conversation_id: str, message_ids: Sequence[str], who: Principal
    ) -> None:
        """Raises NotFound if a message is not one of this conversation of the user."""
        if not message_ids:
            return
        await self.require_participant(conversation_id, who)
        found = await self._production_memory.GetMessages(
            GetMessagesRequest(conversation_id=conversation_id, message_ids=message_ids)
        )
        known = {message.id for message in found.messages}
        for message_id in message_ids:
            if message_id not in known:
                raise NotFound(
                    Reason.REASON_MESSAGE_NOT_FOUND,
                    "there is no such message in this conversation",
                    message_id=message_id,
                )

    async def latest_sequence(self, conversation_id: str, who: Principal) -> int:
        """Sequence of the last message of a conversation of the user; 0 if it has none."""
        await self.require_participant(conversation_id, who)
        page = await self._production_memory.ListMessages(
            ListMessagesRequest(conversation_id=conversation_id, page_size=1)
        )
        return page.messages[0].sequence if page.messages else 0

    async def _require_turn(self, turn: Turn, who: Principal) -> None:
        try:
            await self.require_participant(turn.conversation_id, who)
        except NotFound:
            raise NotFound(Reason.REASON_TURN_NOT_FOUND, "there is no such turn") from None

    async def require_participant(self, conversation_id: str, who: Principal) -> None:
        """Raises NotFound if the user takes no part in a conversation."""
        database = await self._database.get()
        if not await database.value(
            who.tenant_id, QUERIES.is_participant, conversation_id, who.user_id
        ):
            raise unknown_conversation()
