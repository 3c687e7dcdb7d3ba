"""The images among the files of a message, for models that see.

The orchestrator knows ids of files and nothing else: it asks multimedia for each of them, which
gives nothing where it is no image. A model that does not see is told the names of images, and its
answer says that it was not shown them: the model factory sees to both, for each model of the
chain. What stands in an image as text comes with the context all the same.
"""

import asyncio
from collections.abc import Sequence

import grpc
import structlog

from kari.conversation_models.v1.context_pb2 import PromptImage, PromptMessage
from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from kari.conversation_models.v1.model_pb2 import Model
from kari.errors.v1.errors_pb2 import Reason
from kari.multimedia.v1.multimedia_pb2 import PrepareImageRequest
from servers.chat_orchestrator.peers import Peers
from servers.chat_orchestrator.stages import stage
from servers.runtime.errors import from_rpc

MOST_IMAGES = 4
MOST_BYTES = 2_500_000
"""Of all images together: with the rest of a prompt they have to fit into a message of 4 MiB."""
LONGEST_SIDE = 1568
SMALLER_SIDE = 1024
"""Of several images, so that they fit together."""
UNSEEN_SIDE = 256
"""For a model that does not see: one that it falls back to may."""
IMAGE_TOKENS = 1600
"""Most tokens that an image takes for a model that sees."""
SECONDS = 10.0

log = structlog.get_logger("kari.chat_orchestrator")


async def images_of(peers: Peers, message: Message, model: Model) -> tuple[list[PromptImage], str]:
    """The first images among a message's files, in their order, and what kept others from being
    there; empty if nothing did. Never fails, and takes no longer than SECONDS."""
    ids = list(dict.fromkeys(message.file_ids))
    if not ids:
        return [], ""
    side = UNSEEN_SIDE if not model.sees else LONGEST_SIDE if len(ids) == 1 else SMALLER_SIDE
    with stage("images"):
        answers = await _asked(peers, message.conversation_id, ids, side)
    images = [each for each in answers if isinstance(each, PromptImage)]
    missing = next((each for each in answers if isinstance(each, str) and each), "")
    shown = fitting(images)
    if len(shown) < len(images):
        log.warning("not all images are shown", shown=len(shown), left_out=len(images) - len(shown))
        missing = missing or "most_images"
    return shown, missing


def fitting(images: Sequence[PromptImage]) -> list[PromptImage]:
    """The first MOST_IMAGES that have MOST_BYTES together."""
    shown, left = list[PromptImage](), MOST_BYTES
    for image in images:
        if len(shown) < MOST_IMAGES and len(image.data) <= left:
            shown.append(image)
            left -= len(image.data)
    return shown


def with_images(
    prompt: Sequence[PromptMessage], images: Sequence[PromptImage]
) -> list[PromptMessage]:
    """A prompt whose last message of a user, the one that is answered, has these images."""
    messages = list(prompt)
    users = [at for at, m in enumerate(messages) if m.role == MessageRole.MESSAGE_ROLE_USER]
    if images and users:
        shown = PromptMessage()
        shown.CopyFrom(messages[users[-1]])
        shown.images.extend(images)
        messages[users[-1]] = shown
    return messages


async def _asked(
    peers: Peers, conversation_id: str, ids: Sequence[str], side: int
) -> list[PromptImage | str]:
    """For each file its image, nothing if it is none, or what is away; one more than is shown is
    looked for, so that it can be said that there are more."""
    found, asked = list[PromptImage | str](), list(ids)
    until = asyncio.get_running_loop().time() + SECONDS
    while asked and sum(isinstance(each, PromptImage) for each in found) <= MOST_IMAGES:
        now, asked = asked[:MOST_IMAGES], asked[MOST_IMAGES:]
        left = until - asyncio.get_running_loop().time()
        calls = (_image(peers, conversation_id, file_id, side, left) for file_id in now)
        found += await asyncio.gather(*calls)
    return found


async def _image(
    peers: Peers, conversation_id: str, file_id: str, side: int, seconds: float
) -> PromptImage | str:
    request = PrepareImageRequest(
        file_id=file_id, longest_side=side, conversation_id=conversation_id, if_image=True
    )
    try:
        image = await peers.media.PrepareImage(request, timeout=max(0.001, seconds))
    except grpc.aio.AioRpcError as failure:
        error = from_rpc(failure)
        if error.reason == Reason.REASON_FILE_TYPE:  # one of before `if_image`
            return ""
        log.warning("file is not shown", file=file_id, reason=Reason.Name(error.reason))
        return "multimedia"
    if not image.data:
        return ""
    return PromptImage(
        file_id=file_id, name=image.name, content_type=image.content_type, data=image.data
    )
