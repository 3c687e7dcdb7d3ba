"""How each server is put together. The one composition root; tests use it too.

Its length is that of a list: a function for each server, which says what is given to what."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import grpc

from kari.audit.v1.audit_pb2 import AppendRequest
from kari.audit.v1.audit_pb2_grpc import AuditServiceStub, add_AuditServiceServicer_to_server
from kari.capsules.v1.capsules_pb2_grpc import (
    CapsulesServiceStub,
    add_CapsulesServiceServicer_to_server,
)
from kari.chat_hub.v1.chat_hub_pb2_grpc import add_ChatHubServiceServicer_to_server
from kari.chat_orchestrator.v1.chat_orchestrator_pb2_grpc import (
    ChatOrchestratorServiceStub,
    add_ChatOrchestratorServiceServicer_to_server,
)
from kari.code_execution.v1.code_execution_pb2 import Runner
from kari.code_execution.v1.code_execution_pb2_grpc import (
    CodeExecutionServiceStub,
    add_CodeExecutionServiceServicer_to_server,
)
from kari.context_integrator.v1.context_integrator_pb2_grpc import (
    ContextIntegratorServiceStub,
    add_ContextIntegratorServiceServicer_to_server,
)
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
    add_ConversationManagerServiceServicer_to_server,
)
from kari.conversation_search.v1.conversation_search_pb2_grpc import (
    ConversationSearchServiceStub,
    add_ConversationSearchServiceServicer_to_server,
)
from kari.file_attachment.v1.file_attachment_pb2_grpc import (
    FileAttachmentServiceStub,
    add_FileAttachmentServiceServicer_to_server,
)
from kari.hook_enabled_file.v1.hook_enabled_file_pb2_grpc import (
    HookEnabledFileServiceStub,
    add_HookEnabledFileServiceServicer_to_server,
)
from kari.identity.v1.identity_pb2_grpc import add_IdentityServiceServicer_to_server
from kari.instruction_processor.v1.instruction_processor_pb2_grpc import (
    InstructionProcessorServiceStub,
    add_InstructionProcessorServiceServicer_to_server,
)
from kari.memory_processor.v1.memory_processor_pb2_grpc import (
    MemoryProcessorServiceStub,
    add_MemoryProcessorServiceServicer_to_server,
)
from kari.model_factory.v1.model_factory_pb2_grpc import (
    ModelFactoryServiceStub,
    add_ModelFactoryServiceServicer_to_server,
)
from kari.multimedia.v1.multimedia_pb2_grpc import (
    MultimediaServiceStub,
    add_MultimediaServiceServicer_to_server,
)
from kari.production_memory.v1.production_memory_pb2_grpc import (
    ProductionMemoryServiceStub,
    add_ProductionMemoryServiceServicer_to_server,
)
from kari.stream_processor.v1.stream_processor_pb2_grpc import (
    StreamProcessorServiceStub,
    add_StreamProcessorServiceServicer_to_server,
)
from kari.summarizer.v1.summarizer_pb2_grpc import (
    SummarizerServiceStub,
    add_SummarizerServiceServicer_to_server,
)
from kari.tool_integration.v1.tool_integration_pb2_grpc import (
    ToolIntegrationServiceStub,
    add_ToolIntegrationServiceServicer_to_server,
)
from servers.audit.appending import Appending
from servers.audit.chain import Key as AuditKey
from servers.audit.reading import Reading as TrailReading
from servers.audit.servicer import Audit
from servers.audit.store import Trail
from servers.capsules.admitting import Admitting
from servers.capsules.catalogue import Catalogue
from servers.capsules.outside import Outside as OutsideCapsules
from servers.capsules.peers import Peers as CapsulePeers
from servers.capsules.places import capsule_places
from servers.capsules.recording import Recording as CapsuleRecording
from servers.capsules.resting import Resting
from servers.capsules.running import Running as CapsuleRunning
from servers.capsules.servicer import Capsules
from servers.capsules.slots import Slots as CapsuleSlots
from servers.capsules.store import Runs
from servers.chat_hub.admitted import Admitted
from servers.chat_hub.attending import Attending
from servers.chat_hub.board import Board
from servers.chat_hub.fan_out import FanOut
from servers.chat_hub.following import Following
from servers.chat_hub.news import News
from servers.chat_hub.peers import Peers as HubPeers
from servers.chat_hub.sending import Sending
from servers.chat_hub.servicer import ChatHub
from servers.chat_hub.store_attendance import SharedAttendance
from servers.chat_hub.watching import Watching
from servers.chat_orchestrator.outside import Outside
from servers.chat_orchestrator.peers import Peers
from servers.chat_orchestrator.replaying import Replaying as TurnReplaying
from servers.chat_orchestrator.servicer import ChatOrchestrator
from servers.chat_orchestrator.turns import Turns
from servers.code_execution.policy import policy_of
from servers.code_execution.runners import Runners
from servers.code_execution.running import Running
from servers.code_execution.servicer import CodeExecution
from servers.code_execution.slots import Slots
from servers.context_integrator.gathering import Gathering
from servers.context_integrator.replaying import Replaying
from servers.context_integrator.servicer import ContextIntegrator
from servers.conversation_manager.conversations import Conversations
from servers.conversation_manager.history import History
from servers.conversation_manager.memories import Memories as GuardedMemories
from servers.conversation_manager.proposals import Proposals
from servers.conversation_manager.servicer import ConversationManager
from servers.conversation_manager.updating import Updating
from servers.conversation_search.file_reading import FileReading
from servers.conversation_search.meaning import Meaning
from servers.conversation_search.piece_searching import PieceSearching
from servers.conversation_search.searching import Searching
from servers.conversation_search.servicer import ConversationSearch
from servers.conversation_search.store import NearestVectors
from servers.conversation_search.store_milvus import open_nearest
from servers.conversation_search.store_pieces import PieceWords
from servers.conversation_search.store_postgres import PLANNED_EACH_TIME, Words
from servers.file_attachment.admitting import Admitting as UploadAdmitting
from servers.file_attachment.claiming import Claiming
from servers.file_attachment.configured import read as file_limits
from servers.file_attachment.erasing import Erasing
from servers.file_attachment.keeping import Keeping
from servers.file_attachment.receiving import Receiving
from servers.file_attachment.servicer import FileAttachment
from servers.file_attachment.serving import Serving
from servers.file_attachment.store import Objects
from servers.file_attachment.store_objects import open_objects
from servers.hook_enabled_file import rooms as hook_rooms
from servers.hook_enabled_file.assembling import Peers as HookPeers
from servers.hook_enabled_file.assembling import clamav
from servers.hook_enabled_file.assembling import hooks as file_hooks
from servers.hook_enabled_file.claims import Claims as FileClaims
from servers.hook_enabled_file.clamav import ClamAV
from servers.hook_enabled_file.configured import read as hook_configuration
from servers.hook_enabled_file.following import Following as FileFollowing
from servers.hook_enabled_file.news import News as FileNews
from servers.hook_enabled_file.passing import Passing
from servers.hook_enabled_file.pipeline import Pipeline
from servers.hook_enabled_file.servicer import HookEnabledFile
from servers.hook_enabled_file.trying import Trying
from servers.identity.access import Signer
from servers.identity.administration import Administration
from servers.identity.first_accounts import FirstAccounts
from servers.identity.passwords import Passwords
from servers.identity.servicer import Identity
from servers.identity.sign_in import SignIn
from servers.identity.store import Sessions, Users
from servers.identity.store_lockout import Lockout
from servers.instruction_processor.applying import Applying
from servers.instruction_processor.memories import Memories
from servers.instruction_processor.models import Models
from servers.instruction_processor.processing import Processing
from servers.instruction_processor.questions import Questions
from servers.instruction_processor.searching import Searching as CommandSearching
from servers.instruction_processor.servicer import InstructionProcessor
from servers.memory_processor.long_term import LongTerm
from servers.memory_processor.retrieval import Retrieval
from servers.memory_processor.servicer import MemoryProcessor
from servers.memory_processor.short_term import ShortTerm
from servers.memory_processor.store import NearestVectors as ConversationVectors
from servers.memory_processor.store_milvus import open_nearest as open_conversation_vectors
from servers.memory_processor.vault import vaults
from servers.model_factory.factory import ModelFactory
from servers.model_factory.servicer import ModelFactoryServicer
from servers.multimedia.captioning import Captioning
from servers.multimedia.configured import key_of
from servers.multimedia.configured import read as multimedia_configuration
from servers.multimedia.describing import Describing
from servers.multimedia.hearing import Hearing
from servers.multimedia.jobs import Jobs as MediaJobs
from servers.multimedia.readers import Readers as MediaReaders
from servers.multimedia.servicer import Multimedia
from servers.multimedia.speech_service import SpeechService
from servers.production_memory.approving import Approving
from servers.production_memory.backlog import Backlog
from servers.production_memory.beginning import Beginning
from servers.production_memory.buffering import Buffering
from servers.production_memory.embed_job import EmbedJob
from servers.production_memory.ending import Ending
from servers.production_memory.file_job import FileJob
from servers.production_memory.file_vectors import FileVectors
from servers.production_memory.files import Files
from servers.production_memory.importing import Importing
from servers.production_memory.jobs import Jobs
from servers.production_memory.leading import Leading
from servers.production_memory.quiet import Quiet
from servers.production_memory.reading import Reading
from servers.production_memory.recording import Recording
from servers.production_memory.reindexing import Reindexing
from servers.production_memory.servicer import ProductionMemory
from servers.production_memory.store import VectorStore
from servers.production_memory.store_milvus import open_vectors
from servers.production_memory.summaries import Summaries
from servers.production_memory.summary_claims import SummaryClaims
from servers.production_memory.vault.memory_jobs import (
    LearnJob,
    MemoryJob,
    ProcedureJob,
)
from servers.production_memory.vault.vault import vault_of
from servers.production_memory.vectorizing import Vectorizing
from servers.production_memory.working import Pace, Work, Worker
from servers.runtime.audit_trail import Append, AuditTrail
from servers.runtime.bootstrap import Bootstrap, Hook, Hosted
from servers.runtime.ended_sessions import EndedSessions
from servers.runtime.keys import audit_key, identity_key
from servers.runtime.names import short
from servers.runtime.resources import Resource
from servers.runtime.session_buffer import SessionBuffer
from servers.stream_processor.guarded import GuardedJournal
from servers.stream_processor.journal_memory import MemoryJournal
from servers.stream_processor.journal_redis import RedisJournal
from servers.stream_processor.readers import Readers
from servers.stream_processor.servicer import StreamProcessor
from servers.stream_processor.streams import Streams
from servers.stream_processor.upkeep import Upkeep
from servers.summarizer.due import Due
from servers.summarizer.servicer import Summarizer
from servers.summarizer.summarizing import Summarizing
from servers.summarizer.writing import Writing
from servers.tool_integration import configured
from servers.tool_integration.built_in.offers import IDS as TOOL_IDS
from servers.tool_integration.built_in.offers import BuiltIn
from servers.tool_integration.built_in.offers import Peers as ToolPeers
from servers.tool_integration.calling import Calling
from servers.tool_integration.capsules import Capsules as CapsuleTools
from servers.tool_integration.checking import Checking
from servers.tool_integration.limits import Limits
from servers.tool_integration.listing import Listing
from servers.tool_integration.mcp.attached import mcp_servers
from servers.tool_integration.recording import Recording as CallRecording
from servers.tool_integration.registry import Registry
from servers.tool_integration.servicer import ToolIntegration
from servers.topology import NODES, service_of
from servers.wiring import Wiring, contract_of

if TYPE_CHECKING:
    from gateway.app import Gateway

S = TypeVar("S")


def chat_hub(w: Wiring) -> Hosted:
    """Chat hub."""
    stub = partial(w.stub, "chat_hub")
    peers = HubPeers(
        instructions=stub("instruction_processor", InstructionProcessorServiceStub),
        orchestrator=stub("chat_orchestrator", ChatOrchestratorServiceStub),
        streams=stub("stream_processor", StreamProcessorServiceStub),
        conversations=stub("conversation_manager", ConversationManagerServiceStub),
        search=stub("conversation_search", ConversationSearchServiceStub),
        files=stub("hook_enabled_file", HookEnabledFileServiceStub),
    )
    board = Board()
    fan_out = FanOut(w.redis, board)
    attending = Attending(SharedAttendance(w.redis, fan_out.process), fan_out)
    news = News(fan_out)
    watching = Watching(peers.conversations, board, fan_out, attending)
    admitted = Admitted()
    following = Following(peers.conversations, peers.streams, admitted)
    return _hosted(
        "chat_hub",
        add_ChatHubServiceServicer_to_server,
        ChatHub(peers, Sending(peers, news, admitted), following, watching, news),
        loops=(fan_out.listen, attending.renew),
        close=attending.close,
    )


def instruction_processor(w: Wiring) -> Hosted:
    """Instruction processor."""
    stub = partial(w.stub, "instruction_processor")
    conversations = stub("conversation_manager", ConversationManagerServiceStub)
    orchestrator = stub("chat_orchestrator", ChatOrchestratorServiceStub)
    models = Models(stub("model_factory", ModelFactoryServiceStub))
    memories = Memories(conversations)
    search = stub("conversation_search", ConversationSearchServiceStub)
    searching = CommandSearching(search, conversations)
    questions = Questions(conversations, models, memories, searching)
    applying = Applying(conversations, questions, memories)
    processing = Processing(applying, models, orchestrator)
    return _hosted(
        "instruction_processor",
        add_InstructionProcessorServiceServicer_to_server,
        InstructionProcessor(processing, conversations),
    )


def context_integrator(w: Wiring) -> Hosted:
    """Context integrator."""
    stub = partial(w.stub, "context_integrator")
    stored = stub("production_memory", ProductionMemoryServiceStub)
    gathering = Gathering(
        stub("memory_processor", MemoryProcessorServiceStub),
        stored,
        stub("conversation_search", ConversationSearchServiceStub),
    )
    return _hosted(
        "context_integrator",
        add_ContextIntegratorServiceServicer_to_server,
        ContextIntegrator(gathering, Replaying(stored)),
    )


def memory_processor(w: Wiring) -> Hosted:
    """Memory processor."""
    vectors: Resource[ConversationVectors] = w.resources.add(
        "milvus.memory_processor",
        partial(open_conversation_vectors, w.settings),
        lambda store: store.ping(),
        required=False,
    )
    stored = w.stub("memory_processor", "production_memory", ProductionMemoryServiceStub)
    return _hosted(
        "memory_processor",
        add_MemoryProcessorServiceServicer_to_server,
        MemoryProcessor(
            Retrieval(
                (
                    ShortTerm(SessionBuffer(w.redis), stored),
                    LongTerm(vectors, stored),
                    *vaults(stored),
                )
            )
        ),
    )


def chat_orchestrator(w: Wiring) -> Hosted:
    """Chat orchestrator."""
    stub = partial(w.stub, "chat_orchestrator")
    peers = Peers(
        conversations=stub("conversation_manager", ConversationManagerServiceStub),
        context=stub("context_integrator", ContextIntegratorServiceStub),
        memory=stub("production_memory", ProductionMemoryServiceStub),
        models=stub("model_factory", ModelFactoryServiceStub),
        streams=stub("stream_processor", StreamProcessorServiceStub),
        tools=stub("tool_integration", ToolIntegrationServiceStub),
        media=stub("multimedia", MultimediaServiceStub),
        trail=_trail(w, "chat_orchestrator"),
    )
    turns = Turns(peers, w.settings, w.mesh_key)
    return _hosted(
        "chat_orchestrator",
        add_ChatOrchestratorServiceServicer_to_server,
        ChatOrchestrator(turns, TurnReplaying(peers), Outside(peers)),
        loops=(turns.sweep,),
        drain=turns.drain,
    )


def model_factory(w: Wiring) -> Hosted:
    """Model factory. The local model is loaded beside whatever else starts."""
    factory = ModelFactory.of_settings(w.settings)
    w.resources.add("local_model", factory.opened, ModelFactory.ping, required=False)
    return _hosted(
        "model_factory",
        add_ModelFactoryServiceServicer_to_server,
        ModelFactoryServicer(factory),
    )


def stream_processor(w: Wiring) -> Hosted:
    """Stream processor."""
    ttl = w.settings.stream_ttl_seconds
    memory, durable = MemoryJournal(), GuardedJournal(RedisJournal(w.redis, ttl))
    streams = Streams(memory, durable, expose_reasoning=w.settings.expose_reasoning)
    readers = Readers(streams, memory)
    upkeep = Upkeep(streams, readers, memory, durable, ttl=ttl)
    return _hosted(
        "stream_processor",
        add_StreamProcessorServiceServicer_to_server,
        StreamProcessor(streams, readers),
        loops=(upkeep.read_others, upkeep.settle, upkeep.sweep),
    )


def identity(w: Wiring) -> Hosted:
    """Identity."""
    database, passwords = w.database("identity", largest=4), Passwords()
    users, sessions = Users(database), Sessions(database)
    seconds = w.settings.access_token_seconds
    signer, ended = Signer(identity_key(w.keys.identity), seconds), EndedSessions(w.redis, seconds)
    lockout = Lockout(w.redis)
    sign_in = SignIn(users, sessions, passwords, lockout, ended, signer, w.settings)
    return _hosted(
        "identity",
        add_IdentityServiceServicer_to_server,
        Identity(sign_in, Administration(users, passwords), signer.jwks),
        prepare=FirstAccounts(database, passwords, w.settings.data).ensure,
        close=passwords.close,
    )


def production_memory(w: Wiring) -> Hosted:
    """Production memory."""
    database, jobs, quiet = w.database("production_memory"), Jobs(), Quiet()
    vectors: Resource[VectorStore] = w.resources.add(
        "milvus", partial(open_vectors, w.settings), lambda store: store.ping(), required=False
    )
    models = w.stub("production_memory", "model_factory", ModelFactoryServiceStub)
    vault = vault_of(database, jobs, vectors, models, w.settings.memory_model, w.mesh_key)
    messages = Work(EmbedJob.parse, Vectorizing(database, models, vectors).do, "vectors")
    embeds = {EmbedJob.entrypoint: messages, MemoryJob.entrypoint: vault.vector_work}
    embedder = Worker("embed", database, jobs, embeds, quiet)
    # By itself: a model that takes its time keeps no vector waiting.
    learns = {
        LearnJob.entrypoint: vault.learn_work,
        ProcedureJob.entrypoint: vault.procedure_work,
    }
    learner = Worker("learn", database, jobs, learns, quiet, Pace(batch=4))
    # By itself as well: a large file keeps no message from being found.
    file_vectors = FileVectors(database, models, vectors)
    files = {FileJob.entrypoint: Work(FileJob.parse, file_vectors.do, "file_vectors")}
    filer = Worker("files", database, jobs, files, quiet, Pace(batch=4))
    buffering, backlog = Buffering(SessionBuffer(w.redis)), Backlog(database, jobs)
    return _hosted(
        "production_memory",
        add_ProductionMemoryServiceServicer_to_server,
        ProductionMemory(
            Beginning(database, buffering, jobs, quiet, w.settings),
            Leading(database),
            Ending(database, buffering, jobs, quiet),
            Reading(database, buffering),
            Recording(database),
            Approving(database),
            Importing(database, jobs),
            Reindexing(database, jobs),
            backlog,
            models,
            vault,
            Summaries(database, jobs),
            SummaryClaims(database, quiet),
            Files(database, jobs, file_vectors),
        ),
        loops=(embedder.run, embedder.tidy, learner.run, filer.run, vault.aging.run, backlog.show),
    )


def gateway(w: Wiring) -> "AbstractAsyncContextManager[Gateway]":
    """The edge; no server, so it is entered beside them. Imported here: it brings a web server,
    15 MB that the processes of the others do without."""
    from gateway.app import serving_gateway

    return serving_gateway(
        w.settings,
        w.channel("gateway", "chat_hub"),
        w.channel("gateway", "identity"),
        w.redis,
        w.access_tokens,
    )


def conversation_manager(w: Wiring) -> Hosted:
    """Conversation manager."""
    database = w.database("conversation_manager")
    stored = w.stub("conversation_manager", "production_memory", ProductionMemoryServiceStub)
    history = History(database, stored)
    updating = Updating(database, history)
    return _hosted(
        "conversation_manager",
        add_ConversationManagerServiceServicer_to_server,
        ConversationManager(
            Conversations(database),
            updating,
            Proposals(database, updating),
            history,
            GuardedMemories(history, stored),
        ),
    )


def conversation_search(w: Wiring) -> Hosted:
    """Conversation search."""
    vectors: Resource[NearestVectors] = w.resources.add(
        "milvus.conversation_search",
        partial(open_nearest, w.settings),
        lambda store: store.ping(),
        required=False,
    )
    stored = w.stub("conversation_search", "production_memory", ProductionMemoryServiceStub)
    database = w.database("conversation_search", options=PLANNED_EACH_TIME)
    words, pieces = Words(database), PieceWords(database)
    searching = Searching(words, PieceSearching(words, pieces), Meaning(vectors, stored))
    return _hosted(
        "conversation_search",
        add_ConversationSearchServiceServicer_to_server,
        ConversationSearch(searching, FileReading(pieces)),
    )


def audit(w: Wiring) -> Hosted:
    """Audit."""
    key = AuditKey(audit_key(w.keys.audit))
    trail = Trail(w.database("audit", largest=4), key)
    appending = Appending(trail)
    return _hosted(
        "audit",
        add_AuditServiceServicer_to_server,
        Audit(appending, TrailReading(trail, key)),
        close=appending.close,
    )


def summarizer(w: Wiring) -> Hosted:
    """Summarizer."""
    stub, settings = partial(w.stub, "summarizer"), w.settings
    models = stub("model_factory", ModelFactoryServiceStub)
    writing = Writing(models, settings.summary_model) if settings.summary_model else None
    summarizing = Summarizing(models, writing)
    stored = stub("production_memory", ProductionMemoryServiceStub)
    return _hosted(
        "summarizer",
        add_SummarizerServiceServicer_to_server,
        Summarizer(summarizing),
        loops=(Due(stored, summarizing, settings, w.mesh_key).run,),
    )


def tool_integration(w: Wiring) -> Hosted:
    """Tool integration."""
    stub = partial(w.stub, "tool_integration")
    peers = ToolPeers(
        conversations=stub("conversation_search", ConversationSearchServiceStub),
        memories=stub("memory_processor", MemoryProcessorServiceStub),
        code=stub("code_execution", CodeExecutionServiceStub),
        files=stub("file_attachment", FileAttachmentServiceStub),
    )
    configuration = configured.read(w.settings, TOOL_IDS)
    built_in = BuiltIn(configuration, peers)
    mcp = mcp_servers(configuration.mcp)
    sources = (built_in, CapsuleTools(stub("capsules", CapsulesServiceStub)), mcp)
    registry = Registry(sources, configured.adjusting(configuration))
    recording = CallRecording(_trail(w, "tool_integration"))
    calling = Calling(registry, Checking(Limits(w.redis)), recording)
    return _hosted(
        "tool_integration",
        add_ToolIntegrationServiceServicer_to_server,
        ToolIntegration(Listing(registry), calling),
        loops=(mcp.run,),
        close=partial(_closed, mcp.close, built_in.close),
    )


def code_execution(w: Wiring) -> Hosted:
    """Code execution."""
    settings = w.settings
    policy = policy_of(settings)
    runners = Runners(policy, settings.data, settings.code_warm_workers)
    for kind in policy.runners:
        name = f"code_execution.{short(Runner, kind)}"
        w.resources.add(name, partial(runners.health, kind), runners.ping, required=False)
    slots = Slots(settings.code_runs_per_user, settings.code_runs)
    # What a run ended with may wait; that it begins may not.
    ends = _trail(w, "code_execution")
    running = Running(policy, runners, slots, _append(w, "code_execution"), ends.report)
    hosted = _hosted(
        "code_execution",
        add_CodeExecutionServiceServicer_to_server,
        CodeExecution(running),
        loops=(runners.run,),
        close=runners.close,
    )
    return _reporting(hosted, ends)


def capsules(w: Wiring) -> Hosted:
    """Capsules."""
    stub, settings = partial(w.stub, "capsules"), w.settings
    peers = CapsulePeers(
        models=stub("model_factory", ModelFactoryServiceStub),
        memory=stub("memory_processor", MemoryProcessorServiceStub),
        search=stub("conversation_search", ConversationSearchServiceStub),
        conversations=stub("conversation_manager", ConversationManagerServiceStub),
        tools=stub("tool_integration", ToolIntegrationServiceStub),
    )
    runs = Runs(w.database("capsules", largest=4))
    outside, resting = OutsideCapsules(), Resting(monotonic)
    catalogue = Catalogue(capsule_places(settings, outside), resting.changed)

    async def close() -> None:
        await catalogue.close()
        await outside.close()

    running = CapsuleRunning(
        Admitting(catalogue, peers, runs),
        peers,
        runs,
        CapsuleRecording(_trail(w, "capsules")),
        resting,
        w.mesh_key,
        CapsuleSlots(settings.capsule_runs_per_user, settings.capsule_runs),
    )
    return _hosted(
        "capsules",
        add_CapsulesServiceServicer_to_server,
        Capsules(catalogue, running, runs),
        prepare=catalogue.first_look,
        loops=(catalogue.run, runs.prune),
        close=close,
    )


def file_attachment(w: Wiring) -> Hosted:
    """File attachment."""
    objects: Resource[Objects] = w.resources.add(
        "objects", partial(open_objects, w.settings), lambda store: store.ping(), required=False
    )
    database, limits = w.database("file_attachment"), file_limits(w.settings)
    erasing = Erasing(database, objects)
    keeping = Keeping(database, limits, erasing.soon)
    admitting = UploadAdmitting(database, w.settings.uploads_per_user, erasing.soon)
    return _hosted(
        "file_attachment",
        add_FileAttachmentServiceServicer_to_server,
        FileAttachment(
            Receiving(admitting, objects, keeping, limits),
            Serving(keeping, objects),
            keeping,
            Claiming(database, erasing.soon),
        ),
        loops=(erasing.run,),
    )


def hook_enabled_file(w: Wiring) -> Hosted:
    """Hook enabled file. Its readers run in a room of their own."""
    stub = partial(w.stub, "hook_enabled_file")
    peers = HookPeers(
        files=stub("file_attachment", FileAttachmentServiceStub),
        multimedia=stub("multimedia", MultimediaServiceStub),
        summarizer=stub("summarizer", SummarizerServiceStub),
        memory=stub("production_memory", ProductionMemoryServiceStub),
    )
    table, room, news = hook_configuration(w.settings), hook_rooms.opened(), FileNews()
    w.resources.add(
        "file_readers", partial(hook_rooms.held, room), hook_rooms.answers, required=False
    )
    if scanner := clamav(table):
        w.resources.add("clamav", scanner.held, ClamAV.ping, required=False)
    hooks = file_hooks(table, room, peers)
    pipeline = Pipeline(peers.files, hooks, Trying(), _trail(w, "hook_enabled_file"), news)
    claims = FileClaims(peers.files, pipeline, w.mesh_key)

    async def close() -> None:
        await claims.close()
        await room.close()

    return _hosted(
        "hook_enabled_file",
        add_HookEnabledFileServiceServicer_to_server,
        HookEnabledFile(
            peers.files,
            Passing(peers.files, peers.memory, claims),
            FileFollowing(peers.files, news),
            hooks,
        ),
        loops=(claims.run,),
        close=close,
    )


def multimedia(w: Wiring) -> Hosted:
    """Multimedia."""
    stub, configured = partial(w.stub, "multimedia"), multimedia_configuration(w.settings)
    folder = w.settings.whisper_model
    jobs = MediaJobs(configured.media, [folder.absolute()] if folder else [])
    captioning = Captioning(stub("model_factory", ModelFactoryServiceStub), configured.caption)
    service = SpeechService(configured.speech, key_of(configured.speech))
    hearing = Hearing(configured.speech, service, folder)
    files = stub("file_attachment", FileAttachmentServiceStub)
    w.resources.add("media_jobs", jobs.opened, MediaJobs.ping, required=False)
    return _hosted(
        "multimedia",
        add_MultimediaServiceServicer_to_server,
        Multimedia(
            Describing(files, jobs, configured.media, captioning, hearing),
            MediaReaders(configured.media, captioning, hearing),
        ),
        loops=(jobs.close_when_idle,),
        close=hearing.close,
    )


HOW: Mapping[str, Callable[[Wiring], Hosted]] = {
    "chat_hub": chat_hub,
    "instruction_processor": instruction_processor,
    "context_integrator": context_integrator,
    "memory_processor": memory_processor,
    "production_memory": production_memory,
    "chat_orchestrator": chat_orchestrator,
    "stream_processor": stream_processor,
    "model_factory": model_factory,
    "conversation_manager": conversation_manager,
    "conversation_search": conversation_search,
    "summarizer": summarizer,
    "identity": identity,
    "audit": audit,
    "tool_integration": tool_integration,
    "code_execution": code_execution,
    "capsules": capsules,
    "file_attachment": file_attachment,
    "hook_enabled_file": hook_enabled_file,
    "multimedia": multimedia,
}
"""How each server is put together, by name."""


def _hosted(
    name: str,
    register: Callable[[S, grpc.aio.Server], None],
    servicer: S,
    *,
    prepare: Hook | None = None,
    loops: tuple[Hook, ...] = (),
    drain: Hook | None = None,
    close: Hook | None = None,
) -> Hosted:
    return Hosted(
        name,
        contract_of(name),
        partial(register, servicer),
        prepare=prepare,
        loops=loops,
        drain=drain,
        close=close,
    )


async def _closed(*closes: Hook) -> None:
    for close in closes:
        await close()


def _trail(w: Wiring, name: str) -> AuditTrail:
    """The one way of a server to the trail."""
    if name not in w.trails:
        w.trails[name] = AuditTrail(_append(w, name))
    return w.trails[name]


def _append(w: Wiring, name: str) -> Append:
    stub = w.stub(name, "audit", AuditServiceStub)
    return lambda entries: stub.Append(AppendRequest(entries=entries))


def _reporting(hosted: Hosted, trail: AuditTrail | None) -> Hosted:
    """A server with its way to the audit trail, if it has one."""
    if trail is None:
        return hosted
    own, before = hosted.close, hosted.flush

    async def flush() -> None:
        if before is not None:
            await before()
        await trail.flush()

    async def close() -> None:
        if own is not None:
            await own()
        await trail.close()

    return replace(hosted, loops=(*hosted.loops, trail.run), flush=flush, close=close)


def bootstrap(w: Wiring, names: Sequence[str], others: Sequence[Hosted] = ()) -> Bootstrap:
    """The named servers, and others that are put together already, ready to start on the port of
    the first."""
    trails = {name: _trail(w, name) for name in names if "audit" in NODES[name].calls}
    hosted = [*(_reporting(HOW[name](w), trails.get(name)) for name in names), *others]
    return Bootstrap(
        hosted,
        w.resources,
        w.security({service_of(name): trail.report for name, trail in trails.items()}),
        w.address_of(hosted[0].name),
        w.port,
        reuse_port=w.settings.several_workers,
    )
