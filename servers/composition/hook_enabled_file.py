"""How hook_enabled_file is put together."""

from functools import partial

from kari.capsules.v1.capsules_pb2_grpc import CapsulesServiceStub
from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceStub
from kari.hook_enabled_file.v1.hook_enabled_file_pb2_grpc import (
    add_HookEnabledFileServiceServicer_to_server,
)
from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceStub
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from kari.summarizer.v1.summarizer_pb2_grpc import SummarizerServiceStub
from servers.composition.serving import served
from servers.composition.trails import trail_of
from servers.hook_enabled_file import rooms
from servers.hook_enabled_file.assembling import Peers, clamav
from servers.hook_enabled_file.assembling import hooks as file_hooks
from servers.hook_enabled_file.claims import Claims
from servers.hook_enabled_file.clamav import ClamAV
from servers.hook_enabled_file.configured import read as hook_configuration
from servers.hook_enabled_file.following import Following
from servers.hook_enabled_file.news import News
from servers.hook_enabled_file.passing import Passing
from servers.hook_enabled_file.pipeline import Pipeline
from servers.hook_enabled_file.plan import pauses
from servers.hook_enabled_file.servicer import HookEnabledFile
from servers.hook_enabled_file.trying import Trying
from servers.runtime.bootstrap import Hosted
from servers.runtime.chunked import sending_chunks, serving_chunks
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server. Its readers run in a room of their own."""
    stub = partial(w.stub, "hook_enabled_file")
    peers = Peers(
        files=stub("file_attachment", sending_chunks(FileAttachmentServiceStub)),
        multimedia=stub("multimedia", MultimediaServiceStub),
        summarizer=stub("summarizer", SummarizerServiceStub),
        memory=stub("production_memory", ProductionMemoryServiceStub),
        capsules=stub("capsules", CapsulesServiceStub),
    )
    table, room, news = hook_configuration(w.settings), rooms.opened(), News()
    w.resources.add("file_readers", partial(rooms.held, room), rooms.answers, required=False)
    if scanner := clamav(table):
        w.resources.add("clamav", scanner.held, ClamAV.ping, required=False)
    hooks = file_hooks(table, room, peers)
    trying = Trying(partial(pauses, patience=table.patience_minutes * 60))
    pipeline = Pipeline(peers.files, hooks, trying, trail_of(w, "hook_enabled_file"), news)
    claims = Claims(peers.files, pipeline, w.mesh_key)

    return served(
        "hook_enabled_file",
        serving_chunks(add_HookEnabledFileServiceServicer_to_server, "Upload"),
        HookEnabledFile(
            peers.files,
            Passing(peers.files, peers.memory, claims),
            Following(peers.files, news),
            hooks,
            peers.multimedia,
        ),
        loops=(claims.run,),
        drain=claims.drain,
        close=room.close,
    )
