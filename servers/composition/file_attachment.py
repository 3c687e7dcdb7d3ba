"""How file_attachment is put together."""

from functools import partial

from kari.file_attachment.v1.file_attachment_pb2_grpc import (
    add_FileAttachmentServiceServicer_to_server,
)
from servers.composition.serving import served
from servers.file_attachment.admitting import Admitting
from servers.file_attachment.claiming import Claiming
from servers.file_attachment.configured import read as file_limits
from servers.file_attachment.erasing import Erasing
from servers.file_attachment.keeping import Keeping
from servers.file_attachment.receiving import Receiving
from servers.file_attachment.reserve import Reserve
from servers.file_attachment.room import Room
from servers.file_attachment.servicer import FileAttachment
from servers.file_attachment.serving import Serving
from servers.file_attachment.store import Objects
from servers.file_attachment.store_objects import open_objects, open_room
from servers.runtime.bootstrap import Hosted
from servers.runtime.chunked import serving_chunks
from servers.runtime.resources import Resource
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    objects: Resource[Objects] = w.resources.add(
        "objects", partial(open_objects, w.settings), lambda store: store.ping(), required=False
    )
    w.resources.add("objects.room", partial(open_room, w.settings), _ping_room, required=False)
    database, limits = w.database("file_attachment"), file_limits(w.settings)
    erasing = Erasing(database, objects)
    keeping = Keeping(database, limits, erasing.soon)
    admitting = Admitting(database, w.settings.uploads_per_user, erasing.soon)
    return served(
        "file_attachment",
        serving_chunks(add_FileAttachmentServiceServicer_to_server, "Upload"),
        FileAttachment(
            Receiving(
                admitting,
                objects,
                keeping,
                limits,
                Room(w.settings.transfers_per_user),
                w.settings.upload_idle_seconds,
            ),
            Serving(keeping, objects),
            keeping,
            Claiming(database, erasing.soon),
        ),
        loops=(erasing.run,),
    )


async def _ping_room(reserve: Reserve | None) -> None:
    if reserve is not None:
        await reserve.ping()
