"""What watchers are told of conversations."""

from kari.chat_hub.v1.chat_hub_pb2 import ConversationChanged, TurnStarted, Typing, WatchResponse
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.turn_pb2 import Turn
from servers.chat_hub.attending import channel_of
from servers.chat_hub.fan_out import FanOut
from servers.runtime.call import principal


class News:
    """Tells the watchers of conversations of the caller's tenant."""

    def __init__(self, fan_out: FanOut) -> None:
        self._fan_out = fan_out

    async def turn_started(self, turn: Turn) -> None:
        """A turn was started."""
        started = TurnStarted(
            conversation_id=turn.conversation_id, turn_id=turn.id, user_id=turn.user_id
        )
        await self._tell(turn.conversation_id, WatchResponse(turn_started=started))

    async def changed(self, conversation: Conversation) -> None:
        """A conversation has another version now."""
        change = ConversationChanged(conversation_id=conversation.id, version=conversation.version)
        await self._tell(conversation.id, WatchResponse(conversation_changed=change))

    async def typing(self, conversation_id: str, *, typing: bool) -> None:
        """The caller types, or stopped."""
        about = Typing(conversation_id=conversation_id, user_id=principal().user_id, typing=typing)
        await self._tell(conversation_id, WatchResponse(typing=about))

    async def _tell(self, conversation_id: str, news: WatchResponse) -> None:
        await self._fan_out.publish(channel_of(principal().tenant_id, conversation_id), news)
