"""`kari chat`: a conversation in the terminal."""

import asyncio
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import FileHistory
from rich.console import Console
from rich.markdown import Markdown

from cli.file_uploads import Wanted, is_refused, upload
from cli.mesh import Mesh, NotRunning, connected
from cli.tool_notes import answered_before, harmless, question, tool_note
from kari.chat_hub.v1.chat_hub_pb2 import (
    AnswerApprovalRequest,
    AnswerProposalRequest,
    CancelTurnRequest,
    FollowTurnRequest,
    ListCommandsRequest,
    SendMessageRequest,
)
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.instruction_pb2 import InstructionResult, InstructionStatus
from kari.conversation_models.v1.turn_pb2 import ApprovalRequested, Turn, TurnEvent
from servers.runtime.errors import from_rpc
from servers.runtime.names import short
from servers.runtime.settings import read_settings

PROMPT = "you> "

console = Console()


def run(
    once: str | None, conversation_id: str, files: Sequence[Path], user: str, tenant: str
) -> int:
    """Chats; gives the exit code: 0, or 1 if a file was refused, or the one message not answered.
    The files go with the first message."""
    try:
        return asyncio.run(_run(once, conversation_id, files, user, tenant))
    except NotRunning as error:
        sys.stderr.write(f"{error}\n")
    except grpc.aio.AioRpcError as error:
        _say_error(error)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
    return 1


async def _run(
    once: str | None, conversation_id: str, files: Sequence[Path], user: str, tenant: str
) -> int:
    settings = read_settings()
    async with connected(settings) as mesh:
        await mesh.sign_in(user, tenant)
        taken = [await upload(mesh, Wanted(path), user, tenant) for path in files]
        if any(map(is_refused, taken)):
            return 1
        terminal = Terminal(mesh, conversation_id, [file.id for file in taken])
        if once is not None:
            return 0 if await terminal.send(once) else 1
        await terminal.talk(FileHistory(str(settings.data / "chat-history")), user, tenant)
    return 0


class Terminal:
    """One conversation between a person at a terminal and the mesh."""

    def __init__(self, mesh: Mesh, conversation_id: str, file_ids: Sequence[str] = ()) -> None:
        """The files go with the first message."""
        self._mesh = mesh
        self._conversation_id = conversation_id
        self._file_ids = file_ids
        self._wrote = ""

    async def talk(self, history: FileHistory, user: str, tenant: str) -> None:
        """Reads lines until Ctrl-D. Arrow up brings back what was typed before."""
        session: PromptSession[str] = PromptSession(
            history=history, completer=WordCompleter(await self._commands(), sentence=True)
        )
        console.print("Ctrl-D ends, Ctrl-C stops an answer, /help lists the commands.", style="dim")
        while True:
            try:
                text = await session.prompt_async(PROMPT)
            except (EOFError, KeyboardInterrupt):
                return
            if not text.strip():
                continue
            await self._mesh.sign_in(user, tenant)
            try:
                await self.send(text)
            except grpc.aio.AioRpcError as error:
                _say_error(error)

    async def send(self, text: str) -> bool:
        """Sends a message or a command and shows what comes of it. True if all went well."""
        response = await self._mesh.hub.SendMessage(
            SendMessageRequest(
                conversation_id=self._conversation_id,
                content=text,
                request_id=secrets.token_hex(16),
                file_ids=self._file_ids,
            )
        )
        if response.HasField("turn"):
            self._file_ids = ()
        self._conversation_id = response.conversation_id
        for result in response.results:
            await self._show_result(result)
        return not response.HasField("turn") or await self._follow(response.turn)

    async def _commands(self) -> list[str]:
        response = await self._mesh.hub.ListCommands(ListCommandsRequest())
        return [f"/{command.name}" for command in response.commands if command.allowed]

    async def _show_result(self, result: InstructionResult) -> None:
        console.print(Markdown(harmless(result.text)))
        if result.status != InstructionStatus.INSTRUCTION_STATUS_NEEDS_CONFIRMATION:
            return
        response = await self._mesh.hub.AnswerProposal(
            AnswerProposalRequest(
                conversation_id=self._conversation_id,
                proposal_id=result.proposal_id,
                accepted=await _says_yes("Go ahead? [y/N] "),
            )
        )
        console.print(Markdown(harmless(response.result.text)))

    async def _follow(self, turn: Turn) -> bool:
        """Shows a turn to its end. Ctrl-C calls it off and shows how it ended."""
        following = asyncio.create_task(self._show(turn.id))
        try:
            return await asyncio.shield(following)
        except asyncio.CancelledError:
            _uncancel()
            await self._mesh.hub.CancelTurn(CancelTurnRequest(turn_id=turn.id))
            return await following

    async def _show(self, turn_id: str) -> bool:
        call = self._mesh.hub.FollowTurn(FollowTurnRequest(turn_id=turn_id))
        try:
            async for response in call:
                if response.HasField("resync"):
                    console.print("\n[dim](the stream was lost; from the start again)[/dim]")
                    self._wrote = ""
                    await self._ask_again(response.resync.turn)
                    continue
                event = response.turn_event
                if event.HasField("approval_requested"):
                    await self._ask(turn_id, event.approval_requested)
                elif self._show_event(event):
                    return event.HasField("completed")
        finally:
            call.cancel()
        return False

    async def _ask_again(self, turn: Turn) -> None:
        for step in turn.pending_steps:
            await self._ask(turn.id, ApprovalRequested(call=step.call, answer_by=step.answer_by))

    async def _ask(self, turn_id: str, asked: ApprovalRequested) -> None:
        """Asks whether a tool may run; without a terminal the turn waits for another client."""
        self._end_line()
        _note(question(asked))
        if not sys.stdin.isatty():
            _note(f"answer it elsewhere: kari approve {turn_id} {asked.call.id}")
            return
        approved = await _says_yes("Allow it? [y/N] ")
        request = AnswerApprovalRequest(turn_id=turn_id, call_id=asked.call.id, approved=approved)
        response = await self._mesh.hub.AnswerApproval(request)
        if before := answered_before(request, response):
            _note(before)

    def _show_event(self, event: TurnEvent) -> bool:
        """Shows one event; True if it is the last."""
        match event.WhichOneof("event"):
            case "delta":
                self._write(event.delta.text)
            case "degraded":
                feature = short(Feature, event.degraded.feature)
                _note(f"without {feature}: {event.degraded.cause}")
            case "provider_switched":
                _note(f"{event.provider_switched.from_model} failed")
            case "tool_started" | "tool_progress" | "tool_finished" | "approval_answered":
                self._show_tool(event)
            case "completed":
                self._end(event.completed.message.content)
                return True
            case "failed":
                self._end(event.failed.message.content)
                _note(f"{event.failed.error.message} ({event.failed.error.correlation_id})")
                return True
            case "cancelled":
                self._end("")
                _note("called off")
                return True
        return False

    def _show_tool(self, event: TurnEvent) -> None:
        if told := tool_note(event):
            self._end_line()
            _note(told)

    def _end_line(self) -> None:
        """A note begins a line of its own."""
        if self._wrote and not self._wrote.endswith("\n"):
            self._write("\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(harmless(text))
        sys.stdout.flush()
        self._wrote += text

    def _end(self, committed: str) -> None:
        """Ends the line; what was committed without a delta, such as an apology, is shown now."""
        if not self._wrote:
            self._write(committed)
        self._write("\n")
        self._wrote = ""


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


async def _says_yes(asked: str) -> bool:
    """Whether the answer is yes; leaving the question is none."""
    try:
        answer = await PromptSession[str]().prompt_async(asked)
    except (EOFError, KeyboardInterrupt):
        return False
    return answer.strip().lower() in ("y", "yes")


def _note(text: str) -> None:
    Console(stderr=True).print(f"({text})", style="dim", markup=False, highlight=False)


def _say_error(error: grpc.aio.AioRpcError) -> None:
    ours = from_rpc(error)
    sys.stderr.write(f"{ours.message}\n")
    for field, description in ours.violations:
        sys.stderr.write(f"  {field}: {description}\n")
