"""Watching conversations: admission, then news for as long as somebody reads."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

import grpc

from kari.chat_hub.v1.chat_hub_pb2 import WatchResponse
from kari.conversation_manager.v1.conversation_manager_pb2 import GetConversationRequest
from servers.chat_hub.attendance import Seat
from servers.chat_hub.attending import Attending, channel_of
from servers.chat_hub.board import Board
from servers.chat_hub.fan_out import MISSING, FanOut
from servers.chat_hub.mailbox import Mailbox
from servers.chat_hub.watcher import Watcher
from servers.runtime.call import Principal

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )


class Watching:
    """Lets callers watch conversations in which they take part."""

    def __init__(
        self,
        conversations: "ConversationManagerServiceAsyncStub",
        board: Board,
        fan_out: FanOut,
        attending: Attending,
    ) -> None:
        self._conversations = conversations
        self._board = board
        self._fan_out = fan_out
        self._attending = attending

    async def watch(
        self, conversation_ids: Sequence[str], who: Principal
    ) -> AsyncGenerator[WatchResponse, None]:
        """The news of the conversations, beginning with who is there. NotFound if one of them is
        not the caller's."""
        wanted = list(dict.fromkeys(conversation_ids))
        await asyncio.gather(*map(self._require_participation, wanted))
        seats = [Seat(who.tenant_id, id_, who.user_id) for id_ in wanted]
        channels = [channel_of(who.tenant_id, id_) for id_ in wanted]
        watcher = Watcher(Mailbox(who.user_id))
        with self._board.joined(channels, watcher):
            await self._fan_out.listen_to(channels)
            if self._fan_out.away:
                watcher.put(MISSING)
            try:
                for news in await self._attending.enter(seats):
                    watcher.put(news)
                while True:
                    news = await watcher.next()
                    if await self._may_hear(news, who, watcher):
                        yield news
            finally:
                self._attending.leave(seats)

    async def _may_hear(self, news: WatchResponse, who: Principal, watcher: Watcher) -> bool:
        """A change may be that the watcher takes no part any more; then it hears no more of it."""
        if not news.HasField("conversation_changed"):
            return True
        conversation_id = news.conversation_changed.conversation_id
        try:
            await self._require_participation(conversation_id)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            self._board.leave(channel_of(who.tenant_id, conversation_id), watcher)
            return False
        return True

    async def _require_participation(self, conversation_id: str) -> None:
        await self._conversations.GetConversation(
            GetConversationRequest(conversation_id=conversation_id)
        )
