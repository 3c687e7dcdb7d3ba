"""Admitting messages and answers, passing them on, and telling the watchers what came of them."""

import grpc
import structlog
from prometheus_client import Counter

from kari.chat_hub.v1.chat_hub_pb2 import (
    AnswerProposalRequest,
    Destination,
    SendMessageRequest,
    SendMessageResponse,
)
from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import StartTurnRequest
from kari.conversation_manager.v1.conversation_manager_pb2 import (
    CreateConversationRequest,
    GetConversationRequest,
)
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.instruction_pb2 import InstructionResult
from kari.hook_enabled_file.v1.hook_enabled_file_pb2 import AttachFilesRequest
from kari.instruction_processor.v1 import instruction_processor_pb2
from kari.instruction_processor.v1.instruction_processor_pb2 import ProcessRequest
from servers.chat_hub.admitted import Admitted
from servers.chat_hub.news import News
from servers.chat_hub.peers import Peers
from servers.chat_hub.routing import conversation_request_id, route, title_of
from servers.runtime.call import principal
from servers.runtime.errors import from_rpc
from servers.runtime.labelled import labelled
from servers.runtime.names import short

ROUTED = Counter(
    "kari_chat_routing_decisions_total", "Messages, by where they were sent.", ("destination",)
)

log = structlog.get_logger("kari.chat_hub")


class Sending:
    """Passes on what users send."""

    def __init__(self, peers: Peers, news: News, admitted: Admitted) -> None:
        self._peers = peers
        self._news = news
        self._started_here = admitted

    async def send(self, request: SendMessageRequest) -> SendMessageResponse:
        """Routes a message. One that is only white space goes nowhere and leaves nothing."""
        destination = route(request.content)
        name = short(Destination, destination)
        labelled(ROUTED, name).inc()
        log.info("message routed", destination=name)
        if destination == Destination.DESTINATION_DISCARD:
            return SendMessageResponse(
                conversation_id=request.conversation_id, destination=destination
            )
        conversation = await self._admitted(request)
        pass_on = self._process if name == "instruction_processor" else self._start
        response = await pass_on(request, conversation)
        response.conversation_id, response.destination = conversation.id, destination
        if response.HasField("turn"):
            self._started_here.add(principal(), response.turn.id)
            await self._news.turn_started(response.turn)
        return response

    async def answer(self, request: AnswerProposalRequest) -> InstructionResult:
        """Passes the answer to a proposal on."""
        before = await self._conversation(request.conversation_id)
        response = await self._peers.instructions.AnswerProposal(
            instruction_processor_pb2.AnswerProposalRequest(
                conversation_id=request.conversation_id,
                proposal_id=request.proposal_id,
                accepted=request.accepted,
            )
        )
        await self._tell_changes(before)
        return response.result

    async def _admitted(self, request: SendMessageRequest) -> Conversation:
        """The conversation of a message: one of the caller's, or a new one."""
        if request.conversation_id:
            return await self._conversation(request.conversation_id)
        created = await self._peers.conversations.CreateConversation(
            CreateConversationRequest(
                request_id=conversation_request_id(request.request_id),
                title=title_of(request.content),
            )
        )
        return created.conversation

    async def _start(
        self, request: SendMessageRequest, conversation: Conversation
    ) -> SendMessageResponse:
        """Begins a turn. Files have to be the user's and ready before; they are tied to the message
        once there is one, by a request that is repeated as well."""
        await self._attach(request, conversation)
        started = await self._peers.orchestrator.StartTurn(
            StartTurnRequest(
                conversation_id=conversation.id,
                content=request.content,
                request_id=request.request_id,
                reply_to_message_id=request.reply_to_message_id,
                mentioned_user_ids=request.mentioned_user_ids,
                when_busy=request.when_busy,
                model=request.model,
                file_ids=request.file_ids,
            )
        )
        await self._attach(request, conversation, started.turn.user_message_id)
        return SendMessageResponse(turn=started.turn, position=started.position)

    async def _attach(
        self, request: SendMessageRequest, conversation: Conversation, message_id: str = ""
    ) -> None:
        if request.file_ids:
            await self._peers.files.AttachFiles(
                AttachFilesRequest(
                    file_ids=request.file_ids,
                    conversation_id=conversation.id,
                    message_id=message_id,
                )
            )

    async def _process(
        self, request: SendMessageRequest, conversation: Conversation
    ) -> SendMessageResponse:
        """Commands; the first of them may have changed something even if a later one failed."""
        try:
            processed = await self._peers.instructions.Process(
                ProcessRequest(
                    conversation_id=conversation.id,
                    content=request.content,
                    request_id=request.request_id,
                    reply_to_message_id=request.reply_to_message_id,
                    mentioned_user_ids=request.mentioned_user_ids,
                    when_busy=request.when_busy,
                    model=request.model,
                )
            )
        except grpc.aio.AioRpcError as failure:
            error = from_rpc(failure)
            if "done" in error.details:
                await self._tell_changes(conversation)
            raise error from failure
        await self._tell_changes(conversation)
        has_turn = processed.HasField("turn")
        return SendMessageResponse(
            results=processed.results,
            turn=processed.turn if has_turn else None,
            position=processed.position if has_turn else None,
        )

    async def _tell_changes(self, before: Conversation) -> None:
        """Tells the watchers if a conversation has another version than before."""
        now = await self._conversation(before.id)
        if now.version != before.version:
            await self._news.changed(now)

    async def _conversation(self, conversation_id: str) -> Conversation:
        request = GetConversationRequest(conversation_id=conversation_id)
        return (await self._peers.conversations.GetConversation(request)).conversation
