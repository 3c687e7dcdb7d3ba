"""Chat hub over gRPC: translates only."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from kari.chat_hub.v1 import chat_hub_pb2 as hub
from kari.chat_orchestrator.v1 import chat_orchestrator_pb2
from kari.conversation_manager.v1 import conversation_manager_pb2 as conversations
from kari.conversation_search.v1 import conversation_search_pb2
from kari.instruction_processor.v1 import instruction_processor_pb2
from servers.chat_hub.following import Following
from servers.chat_hub.news import News
from servers.chat_hub.peers import Peers
from servers.chat_hub.sending import Sending
from servers.chat_hub.servicer_files import Files
from servers.chat_hub.servicer_memories import Memories
from servers.chat_hub.servicer_tools import Tools
from servers.chat_hub.token_life import while_valid
from servers.chat_hub.watching import Watching
from servers.runtime.call import principal
from servers.runtime.grpc_types import Context


class ChatHub(Memories, Tools, Files):
    """Admits every chat event and routes it."""

    def __init__(
        self, peers: Peers, sending: Sending, following: Following, watching: Watching, news: News
    ) -> None:
        super().__init__(peers)
        self._sending = sending
        self._following = following
        self._watching = watching
        self._news = news

    async def SendMessage(
        self, request: hub.SendMessageRequest, context: Context
    ) -> hub.SendMessageResponse:
        """Routes a message or commands; see the contract."""
        return await self._sending.send(request)

    async def FollowTurn(
        self, request: hub.FollowTurnRequest, context: Context
    ) -> AsyncGenerator[hub.FollowTurnResponse, None]:
        """The events of a turn; see the contract."""
        after = request.after if request.HasField("after") else None
        steps = self._following.follow(request.turn_id, after)
        async with aclosing(while_valid(principal(), steps)) as valid_steps:
            async for step in valid_steps:
                yield step

    async def CancelTurn(
        self, request: hub.CancelTurnRequest, context: Context
    ) -> hub.CancelTurnResponse:
        """Calls a turn of a conversation of the caller off; see the contract."""
        await self._peers.conversations.GetTurn(
            conversations.GetTurnRequest(turn_id=request.turn_id)
        )
        response = await self._peers.orchestrator.CancelTurn(
            chat_orchestrator_pb2.CancelTurnRequest(turn_id=request.turn_id)
        )
        return hub.CancelTurnResponse(turn=response.turn)

    async def AnswerProposal(
        self, request: hub.AnswerProposalRequest, context: Context
    ) -> hub.AnswerProposalResponse:
        """Passes an answer on; see the contract."""
        return hub.AnswerProposalResponse(result=await self._sending.answer(request))

    async def ListCommands(
        self, request: hub.ListCommandsRequest, context: Context
    ) -> hub.ListCommandsResponse:
        """The commands; see the contract."""
        response = await self._peers.instructions.ListCommands(
            instruction_processor_pb2.ListCommandsRequest()
        )
        return hub.ListCommandsResponse(commands=response.commands)

    async def CreateConversation(
        self, request: hub.CreateConversationRequest, context: Context
    ) -> hub.CreateConversationResponse:
        """Begins a conversation; see the contract."""
        response = await self._peers.conversations.CreateConversation(
            conversations.CreateConversationRequest(
                request_id=request.request_id, title=request.title
            )
        )
        return hub.CreateConversationResponse(conversation=response.conversation)

    async def GetConversation(
        self, request: hub.GetConversationRequest, context: Context
    ) -> hub.GetConversationResponse:
        """One conversation; see the contract."""
        response = await self._peers.conversations.GetConversation(
            conversations.GetConversationRequest(conversation_id=request.conversation_id)
        )
        return hub.GetConversationResponse(conversation=response.conversation)

    async def ListConversations(
        self, request: hub.ListConversationsRequest, context: Context
    ) -> hub.ListConversationsResponse:
        """A page of conversations; see the contract."""
        response = await self._peers.conversations.ListConversations(
            conversations.ListConversationsRequest(
                page_size=request.page_size, page_token=request.page_token
            )
        )
        return hub.ListConversationsResponse(
            conversations=response.conversations, next_page_token=response.next_page_token
        )

    async def ListMessages(
        self, request: hub.ListMessagesRequest, context: Context
    ) -> hub.ListMessagesResponse:
        """A page of messages; see the contract."""
        response = await self._peers.conversations.ListMessages(
            conversations.ListMessagesRequest(
                conversation_id=request.conversation_id,
                page_size=request.page_size,
                page_token=request.page_token,
            )
        )
        return hub.ListMessagesResponse(
            messages=response.messages,
            next_page_token=response.next_page_token,
            active_turn=response.active_turn if response.HasField("active_turn") else None,
        )

    async def Search(self, request: hub.SearchRequest, context: Context) -> hub.SearchResponse:
        """A page of what fits a query best; see the contract."""
        response = await self._peers.search.Search(
            conversation_search_pb2.SearchRequest(
                query=request.query,
                filter=request.filter if request.HasField("filter") else None,
                way=request.way,
                page_size=request.page_size,
                page_token=request.page_token,
            )
        )
        return hub.SearchResponse(
            results=response.results,
            next_page_token=response.next_page_token,
            degradations=response.degradations,
            summaries=response.summaries,
            files=response.files,
        )

    async def GetTurnManifest(
        self, request: hub.GetTurnManifestRequest, context: Context
    ) -> hub.GetTurnManifestResponse:
        """How a turn's prompt came about; see the contract."""
        response = await self._peers.conversations.GetTurnManifest(
            conversations.GetTurnManifestRequest(turn_id=request.turn_id)
        )
        return hub.GetTurnManifestResponse(
            turn=response.turn,
            manifest=response.manifest if response.HasField("manifest") else None,
        )

    async def ReplayContext(
        self, request: hub.ReplayContextRequest, context: Context
    ) -> hub.ReplayContextResponse:
        """The prompt of a past turn; see the contract."""
        response = await self._peers.orchestrator.ReplayContext(
            chat_orchestrator_pb2.ReplayContextRequest(turn_id=request.turn_id)
        )
        return hub.ReplayContextResponse(
            bundle=response.bundle if response.HasField("bundle") else None,
            identical=response.identical,
            missing_ids=response.missing_ids,
        )

    async def GetTurn(self, request: hub.GetTurnRequest, context: Context) -> hub.GetTurnResponse:
        """One turn; see the contract."""
        response = await self._peers.conversations.GetTurn(
            conversations.GetTurnRequest(turn_id=request.turn_id)
        )
        return hub.GetTurnResponse(
            turn=response.turn, answer=response.answer if response.HasField("answer") else None
        )

    async def SetTyping(
        self, request: hub.SetTypingRequest, context: Context
    ) -> hub.SetTypingResponse:
        """Tells the others; see the contract."""
        await self._peers.conversations.GetConversation(
            conversations.GetConversationRequest(conversation_id=request.conversation_id)
        )
        await self._news.typing(request.conversation_id, typing=request.typing)
        return hub.SetTypingResponse()

    async def Watch(
        self, request: hub.WatchRequest, context: Context
    ) -> AsyncGenerator[hub.WatchResponse, None]:
        """News of conversations; see the contract."""
        who = principal()
        all_news = self._watching.watch(request.conversation_ids, who)
        async with aclosing(while_valid(who, all_news)) as valid_news:
            async for news in valid_news:
                yield news
