"""How chat_hub is put together."""

from functools import partial

from kari.chat_hub.v1.chat_hub_pb2_grpc import add_ChatHubServiceServicer_to_server
from kari.chat_orchestrator.v1.chat_orchestrator_pb2_grpc import ChatOrchestratorServiceStub
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from kari.conversation_search.v1.conversation_search_pb2_grpc import ConversationSearchServiceStub
from kari.hook_enabled_file.v1.hook_enabled_file_pb2_grpc import HookEnabledFileServiceStub
from kari.instruction_processor.v1.instruction_processor_pb2_grpc import (
    InstructionProcessorServiceStub,
)
from kari.stream_processor.v1.stream_processor_pb2_grpc import StreamProcessorServiceStub
from servers.chat_hub.admitted import Admitted
from servers.chat_hub.attending import Attending
from servers.chat_hub.board import Board
from servers.chat_hub.fan_out import FanOut
from servers.chat_hub.following import Following
from servers.chat_hub.news import News
from servers.chat_hub.peers import Peers
from servers.chat_hub.sending import Sending
from servers.chat_hub.servicer import ChatHub
from servers.chat_hub.store_attendance import SharedAttendance
from servers.chat_hub.watching import Watching
from servers.composition.serving import served
from servers.runtime.bootstrap import Hosted
from servers.runtime.chunked import sending_chunks, serving_chunks
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    stub = partial(w.stub, "chat_hub")
    peers = Peers(
        instructions=stub("instruction_processor", InstructionProcessorServiceStub),
        orchestrator=stub("chat_orchestrator", ChatOrchestratorServiceStub),
        streams=stub("stream_processor", StreamProcessorServiceStub),
        conversations=stub("conversation_manager", ConversationManagerServiceStub),
        search=stub("conversation_search", ConversationSearchServiceStub),
        files=stub("hook_enabled_file", sending_chunks(HookEnabledFileServiceStub)),
    )
    board = Board()
    fan_out = FanOut(w.redis, board)
    attending = Attending(SharedAttendance(w.redis, fan_out.process), fan_out)
    news = News(fan_out)
    watching = Watching(peers.conversations, board, fan_out, attending)
    admitted = Admitted()
    following = Following(peers.conversations, peers.streams, admitted)
    return served(
        "chat_hub",
        serving_chunks(add_ChatHubServiceServicer_to_server, "UploadFile"),
        ChatHub(peers, Sending(peers, news, admitted), following, watching, news),
        loops=(fan_out.listen, attending.renew),
        close=attending.close,
    )
