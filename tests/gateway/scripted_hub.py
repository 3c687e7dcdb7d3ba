"""A hub on the real contract that keeps everything in memory and answers by script."""

# ruff: noqa: N802  # rpc methods are named as the contract names them

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TypeAlias

from kari.chat_hub.v1 import chat_hub_pb2 as hub
from kari.conversation_models.v1.conversation_pb2 import Conversation, ConversationMode
from kari.conversation_models.v1.degradation_pb2 import Degradation
from kari.conversation_models.v1.instruction_pb2 import (
    Instruction,
    InstructionResult,
    InstructionStatus,
)
from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from kari.conversation_models.v1.search_pb2 import FileResult, SummaryResult
from kari.conversation_models.v1.turn_pb2 import StreamPosition, Turn, TurnState
from kari.errors.v1.errors_pb2 import Reason
from servers.chat_hub.token_life import while_valid
from servers.runtime.call import current, principal
from servers.runtime.errors import NotFound, Unavailable
from servers.runtime.grpc_types import Context
from servers.runtime.ids import new_id
from tests.gateway.script import Script, events
from tests.gateway.scripted_files import ScriptedFiles
from tests.gateway.scripted_search import page_of
from tests.gateway.scripted_tools import ScriptedTools
from tests.gateway.scripted_turn import COMMANDS, ScriptedTurn

ASSISTANT = MessageRole.MESSAGE_ROLE_ASSISTANT
Watcher: TypeAlias = tuple[frozenset[str], asyncio.Queue[hub.WatchResponse]]


class ScriptedHub(ScriptedTools, ScriptedFiles):
    """Everything that happened can be looked at; `steps` lets turns of `slow` go on."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._begin_anew()

    async def forget(self) -> None:
        """Ends the turns that are under way; as if nothing had happened yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._begin_anew()

    def _begin_anew(self) -> None:
        ScriptedTools.__init__(self)
        ScriptedFiles.__init__(self)
        self.conversations: dict[str, Conversation] = {}
        self.messages: dict[str, list[Message]] = {}
        self.turns: dict[str, ScriptedTurn] = {}
        self.by_request: dict[str, hub.SendMessageResponse] = {}
        self.correlation_ids: list[str] = []
        self.request_ids: list[str] = []
        self.steps = asyncio.Semaphore(0)
        self.summaries: list[SummaryResult] = []
        self.found_files: list[FileResult] = []
        self.searches: list[hub.SearchRequest] = []
        self.missing: list[Degradation] = []
        self.hanging = asyncio.Event()
        self.let_go = asyncio.Event()
        self.follows = 0
        self.watchers: list[Watcher] = []
        self.watched = asyncio.Condition()

    def step(self, count: int) -> None:
        """Lets `slow` turns send so many more deltas."""
        for _ in range(count):
            self.steps.release()

    async def SendMessage(
        self, request: hub.SendMessageRequest, context: Context
    ) -> hub.SendMessageResponse:
        """Begins a turn, or runs commands."""
        self.correlation_ids.append(current().correlation_id)
        self.request_ids.append(request.request_id)
        if request.request_id in self.by_request:
            return self.by_request[request.request_id]
        script = Script.of(request.content)
        await self._before(script)
        conversation = self._conversation(request.conversation_id, request.content)
        if request.content.startswith("/"):
            return hub.SendMessageResponse(
                conversation_id=conversation.id,
                destination=hub.Destination.DESTINATION_INSTRUCTION_PROCESSOR,
                results=[_run(request.content)],
            )
        response = await self._begin(conversation, request, script)
        self.by_request[request.request_id] = response
        return response

    async def FollowTurn(
        self, request: hub.FollowTurnRequest, context: Context
    ) -> AsyncIterator[hub.FollowTurnResponse]:
        """Replays and goes on, until the token ends."""
        self.follows += 1
        async with aclosing(while_valid(principal(), self._follow(request))) as responses:
            async for response in responses:
                yield response

    async def _follow(
        self, request: hub.FollowTurnRequest
    ) -> AsyncGenerator[hub.FollowTurnResponse, None]:
        turn = self.turns.get(request.turn_id)
        if turn is None:
            raise NotFound(Reason.REASON_TURN_NOT_FOUND, "there is no such turn")
        first = request.after.seq
        if first > len(turn.events):
            yield hub.FollowTurnResponse(resync=hub.Resync(turn=turn.turn))
            first = 0
        for index in range(first, 1_000_000):
            async with turn.changed:
                await turn.changed.wait_for(lambda at=index: turn.at > at)  # type: ignore[misc]
            if turn.script.verb == "cut" and self.follows == 1 and index == 2 + turn.script.count:
                raise Unavailable(Reason.REASON_SERVER_UNAVAILABLE, "the stream was cut")
            yield hub.FollowTurnResponse(turn_event=turn.events[index])
            turn.sent = max(turn.sent, index + 1)
            if turn.over and index + 1 == len(turn.events):
                return

    async def CancelTurn(
        self, request: hub.CancelTurnRequest, context: Context
    ) -> hub.CancelTurnResponse:
        """Ends a turn."""
        turn = self.turns.get(request.turn_id)
        if turn is None:
            raise NotFound(Reason.REASON_TURN_NOT_FOUND, "there is no such turn")
        if not turn.over:
            await turn.cancel()
            self._keep_answer(turn)
        return hub.CancelTurnResponse(turn=turn.turn)

    async def AnswerProposal(
        self, request: hub.AnswerProposalRequest, context: Context
    ) -> hub.AnswerProposalResponse:
        """Does it or leaves it."""
        status = InstructionStatus.INSTRUCTION_STATUS_DECLINED
        if request.accepted:
            status = InstructionStatus.INSTRUCTION_STATUS_APPLIED
        text = "The persona is **technical_expert** now." if request.accepted else "Left as it was."
        return hub.AnswerProposalResponse(result=InstructionResult(status=status, text=text))

    async def ListCommands(
        self, request: hub.ListCommandsRequest, context: Context
    ) -> hub.ListCommandsResponse:
        """The commands."""
        return hub.ListCommandsResponse(commands=COMMANDS)

    async def GetConversation(
        self, request: hub.GetConversationRequest, context: Context
    ) -> hub.GetConversationResponse:
        """One conversation."""
        found = self._conversation(request.conversation_id, "")
        return hub.GetConversationResponse(conversation=found)

    async def ListConversations(
        self, request: hub.ListConversationsRequest, context: Context
    ) -> hub.ListConversationsResponse:
        """The caller's, the latest first."""
        own = [c for c in self.conversations.values() if principal().user_id in c.participant_ids]
        own.sort(key=lambda c: c.updated_at.ToNanoseconds(), reverse=True)
        return hub.ListConversationsResponse(conversations=own)

    async def ListMessages(
        self, request: hub.ListMessagesRequest, context: Context
    ) -> hub.ListMessagesResponse:
        """A page, the latest first."""
        self._conversation(request.conversation_id, "")
        backwards = self.messages[request.conversation_id][::-1]
        begin, size = int(request.page_token or 0), request.page_size or 50
        end = begin + size
        active = [
            t.turn
            for t in self.turns.values()
            if t.turn.conversation_id == request.conversation_id and not t.over
        ]
        return hub.ListMessagesResponse(
            messages=backwards[begin:end],
            next_page_token=str(end) if end < len(backwards) else "",
            active_turn=active[0] if active else None,
        )

    async def Search(self, request: hub.SearchRequest, context: Context) -> hub.SearchResponse:
        """The caller's messages that have the query's text, the latest first."""
        self.searches.append(request)
        if request.query == "down":
            raise Unavailable(Reason.REASON_STORE_UNAVAILABLE, "the store does not answer")
        if request.filter.conversation_id:
            self._conversation(request.filter.conversation_id, "")
        own = [c for c in self.conversations.values() if principal().user_id in c.participant_ids]
        response = page_of(request, [m for c in own for m in self.messages[c.id]])
        if not request.page_token and response.results:
            response.summaries.extend(self.summaries)
            response.files.extend(self.found_files)
        response.degradations.extend(self.missing)
        return response

    async def SetTyping(
        self, request: hub.SetTypingRequest, context: Context
    ) -> hub.SetTypingResponse:
        """Tells the watchers."""
        typing = hub.Typing(
            conversation_id=request.conversation_id,
            user_id=principal().user_id,
            typing=request.typing,
        )
        self.tell(request.conversation_id, hub.WatchResponse(typing=typing))
        return hub.SetTypingResponse()

    async def Watch(
        self, request: hub.WatchRequest, context: Context
    ) -> AsyncIterator[hub.WatchResponse]:
        """What happens, until the reader goes or the token ends."""
        async with aclosing(while_valid(principal(), self._news(request))) as responses:
            async for response in responses:
                yield response

    async def _news(self, request: hub.WatchRequest) -> AsyncGenerator[hub.WatchResponse, None]:
        for conversation_id in request.conversation_ids:
            self._conversation(conversation_id, "")
        queue: asyncio.Queue[hub.WatchResponse] = asyncio.Queue()
        entry = (frozenset(request.conversation_ids), queue)
        await self._watch(entry, True)
        try:
            while True:
                yield await queue.get()
        finally:
            await self._watch(entry, False)

    def tell(self, conversation_id: str, response: hub.WatchResponse) -> None:
        """Tells everybody who watches a conversation."""
        for conversation_ids, queue in self.watchers:
            if conversation_id in conversation_ids:
                queue.put_nowait(response)

    async def watchers_of(self, conversation_id: str, count: int) -> None:
        """Returns when so many watch."""
        async with self.watched:
            await self.watched.wait_for(
                lambda: sum(conversation_id in ids for ids, _ in self.watchers) == count
            )

    async def _watch(self, entry: Watcher, there: bool) -> None:
        async with self.watched:
            if there:
                self.watchers.append(entry)
            elif entry in self.watchers:
                self.watchers.remove(entry)
            self.watched.notify_all()

    async def _before(self, script: Script) -> None:
        if script.verb == "down":
            raise Unavailable(
                Reason.REASON_STORE_UNAVAILABLE, "the store does not answer", store="postgres"
            )
        if script.verb == "defect":
            raise ZeroDivisionError("secret words")
        if script.verb == "hang":
            self.hanging.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.let_go.set()

    def _conversation(self, conversation_id: str, title: str) -> Conversation:
        found = self.conversations.get(conversation_id)
        if conversation_id and (found is None or principal().user_id not in found.participant_ids):
            raise NotFound(Reason.REASON_CONVERSATION_NOT_FOUND, "there is no such conversation")
        return found or self.begin_conversation(title, principal().user_id)

    def begin_conversation(self, title: str, *user_ids: str) -> Conversation:
        """A conversation of these users."""
        made = Conversation(
            id=new_id("conv"),
            participant_ids=user_ids,
            title=title[:60],
            mode=ConversationMode.CONVERSATION_MODE_CHAT,
        )
        made.updated_at.GetCurrentTime()
        self.conversations[made.id] = made
        self.messages[made.id] = []
        return made

    def past(self, user_id: str, *texts: str, title: str = "Notes") -> str:
        """A conversation in which these texts were said in turn by its user, whose name is ada,
        and the assistant; its id."""
        made = self.begin_conversation(title, user_id)
        for sequence, text in enumerate(texts, 1):
            by_user = sequence % 2 == 1
            message = Message(
                id=new_id("msg"),
                conversation_id=made.id,
                role=MessageRole.MESSAGE_ROLE_USER if by_user else ASSISTANT,
                content=text,
                author="ada" if by_user else "",
                user_id=user_id if by_user else "",
                sequence=sequence,
            )
            message.timestamp.GetCurrentTime()
            self.messages[made.id].append(message)
        return made.id

    async def _begin(
        self, conversation: Conversation, request: hub.SendMessageRequest, script: Script
    ) -> hub.SendMessageResponse:
        turn = self._turn(conversation, request, script)
        self.turns[turn.turn.id] = turn
        self.messages[conversation.id].append(turn.asked)
        conversation.updated_at.GetCurrentTime()
        started = hub.TurnStarted(
            conversation_id=conversation.id, turn_id=turn.turn.id, user_id=principal().user_id
        )
        self.tell(conversation.id, hub.WatchResponse(turn_started=started))
        task = asyncio.create_task(self._play(turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return hub.SendMessageResponse(
            conversation_id=conversation.id,
            destination=hub.Destination.DESTINATION_ORCHESTRATOR,
            turn=turn.turn,
            position=StreamPosition(stream_id=turn.turn.id, epoch=1, seq=0),
        )

    def _turn(
        self, conversation: Conversation, request: hub.SendMessageRequest, script: Script
    ) -> ScriptedTurn:
        turn_id = new_id("turn")
        asked = Message(
            id=new_id("msg"),
            conversation_id=conversation.id,
            role=MessageRole.MESSAGE_ROLE_USER,
            content=request.content,
            user_id=principal().user_id,
            turn_id=turn_id,
            sequence=len(self.messages[conversation.id]) + 1,
            file_ids=request.file_ids,
        )
        asked.timestamp.GetCurrentTime()
        turn = Turn(
            id=turn_id,
            conversation_id=conversation.id,
            request_id=request.request_id,
            state=TurnState.TURN_STATE_ACCEPTED,
            user_id=principal().user_id,
            user_message_id=asked.id,
            correlation_id=current().correlation_id,
        )
        return ScriptedTurn(turn, script, asked, events(script, asked, new_id("msg")))

    async def _play(self, turn: ScriptedTurn) -> None:
        while not turn.over:
            if turn.events[turn.at].HasField("delta"):
                await self._wait(turn.script)
            if not turn.over:
                await turn.emit()
            await self._ask(turn)
        self._keep_answer(turn)

    async def _ask(self, turn: ScriptedTurn) -> None:
        told = turn.events[turn.at - 1]
        if told.HasField("approval_requested") and not turn.over:
            requested = told.approval_requested
            approved = await self.questions.ask(turn.turn, requested)
            turn.decide(requested, approved=approved)

    async def _wait(self, script: Script) -> None:
        if script.verb == "slow":
            await self.steps.acquire()
        elif script.verb in ("pace", "tell"):
            await asyncio.sleep(0.03)

    def _keep_answer(self, turn: ScriptedTurn) -> None:
        last = turn.events[-1]
        kept = self.messages[turn.turn.conversation_id]
        message = getattr(last, last.WhichOneof("event") or "").message
        if message.id and message.id not in {m.id for m in kept}:
            kept.append(message)


def _run(line: str) -> InstructionResult:
    name = line.split()[0][1:]
    instruction = Instruction(action=name)
    if name == "persona":
        return InstructionResult(
            instruction=instruction,
            status=InstructionStatus.INSTRUCTION_STATUS_NEEDS_CONFIRMATION,
            text="Change the persona to **technical_expert** with tone `formal`?",
            proposal_id=new_id("prop"),
        )
    return InstructionResult(
        instruction=instruction,
        status=InstructionStatus.INSTRUCTION_STATUS_APPLIED,
        text=f"Done: `{line}`",
    )
