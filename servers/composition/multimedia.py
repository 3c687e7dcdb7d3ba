"""How multimedia is put together."""

from functools import partial

from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceStub
from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceStub
from kari.multimedia.v1.multimedia_pb2_grpc import add_MultimediaServiceServicer_to_server
from servers.composition.serving import served
from servers.multimedia.captioning import Captioning
from servers.multimedia.configured import key_of
from servers.multimedia.configured import read as multimedia_configuration
from servers.multimedia.describing import Describing
from servers.multimedia.hearing import Hearing
from servers.multimedia.jobs import Jobs
from servers.multimedia.readers import Readers
from servers.multimedia.servicer import Multimedia
from servers.multimedia.speech_service import SpeechService
from servers.runtime.bootstrap import Hosted
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    stub, configured = partial(w.stub, "multimedia"), multimedia_configuration(w.settings)
    folder = w.settings.whisper_model
    jobs = Jobs(configured.media, [folder.absolute()] if folder else [])
    captioning = Captioning(stub("model_factory", ModelFactoryServiceStub), configured.caption)
    service = SpeechService(configured.speech, key_of(configured.speech))
    hearing = Hearing(configured.speech, service, folder)
    files = stub("file_attachment", FileAttachmentServiceStub)
    w.resources.add("media_jobs", jobs.opened, Jobs.ping, required=False)
    return served(
        "multimedia",
        add_MultimediaServiceServicer_to_server,
        Multimedia(
            Describing(files, jobs, configured.media, captioning, hearing),
            Readers(configured.media, captioning, hearing),
        ),
        loops=(jobs.close_when_idle,),
        close=hearing.close,
    )
