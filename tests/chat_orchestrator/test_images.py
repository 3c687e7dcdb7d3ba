"""Images of a message go to the model, through the real multimedia server."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from kari.conversation_models.v1.context_pb2 import PromptImage, PromptMessage
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.model_pb2 import Model
from kari.conversation_models.v1.turn_pb2 import TurnEvent
from kari.model_factory.v1.model_factory_pb2 import GenerateRequest
from servers.chat_orchestrator.images import MOST_BYTES, MOST_IMAGES, fitting, with_images
from servers.runtime.ids import new_id
from servers.runtime.settings import Settings
from tests.chat_orchestrator.conftest import Stage, staged
from tests.chat_orchestrator.scripted_models import MODEL
from tests.file_attachment.attachment import Attachment
from tests.hosting import Somebody
from tests.multimedia.samples import drawn, saved

SEER = Model()
SEER.CopyFrom(MODEL)
SEER.sees = True


@pytest_asyncio.fixture
async def stage(stack: AsyncExitStack, settings: Settings) -> AsyncIterator[Stage]:
    """With multimedia and the files beside it, and a model that sees."""
    staging = await staged(stack, settings, beside=("multimedia", "file_attachment"))
    staging.models.model = SEER
    yield staging


async def uploaded(stage: Stage, data: bytes, somebody: Somebody | None = None) -> str:
    owner = somebody or stage.user
    with owner.acts(stage.wiring):
        return (await Attachment(stage.wiring, owner).ready(data)).id


def shown(request: GenerateRequest) -> list[PromptImage]:
    """Images of the last message; the others have none."""
    assert not any(message.images for message in request.messages[:-1])
    return list(request.messages[-1].images)


def missing(events: list[TurnEvent]) -> list[str]:
    return [
        event.degraded.cause for event in events if event.degraded.feature == Feature.FEATURE_IMAGES
    ]


async def test_images_of_a_message_go_to_a_model_that_sees(stage: Stage) -> None:
    """In their order; what is no image is not asked for twice, and nothing is missing."""
    first = await uploaded(stage, saved(drawn("one")))
    text = await uploaded(stage, b"no image at all\n" * 20)
    second = await uploaded(stage, saved(drawn("two"), "JPEG"))
    events = await stage.play("What do you see?", file_ids=[first, text, second])
    images = shown(stage.models.requests[-1])
    assert [image.file_id for image in images] == [first, second]
    assert all(image.data and image.name for image in images)
    assert {image.content_type for image in images} <= {"image/jpeg", "image/png"}
    assert missing(events) == []
    assert events[0].accepted.message.file_ids == [first, text, second]


async def test_a_model_that_does_not_see_is_given_them_small(stage: Stage) -> None:
    """The model factory tells it their names: one that it falls back to may see."""
    stage.models.model = MODEL
    image = await uploaded(stage, saved(drawn("one", size=(2000, 1000))))
    await stage.play("What do you see?", file_ids=[image])
    (small,) = shown(stage.models.requests[-1])
    assert len(small.data) < 40_000


async def test_more_images_than_are_shown_are_told(stage: Stage) -> None:
    ids = [await uploaded(stage, saved(drawn(f"picture {n}"))) for n in range(MOST_IMAGES + 1)]
    events = await stage.play("What do you see?", file_ids=ids)
    assert [image.file_id for image in shown(stage.models.requests[-1])] == ids[:MOST_IMAGES]
    assert missing(events) == ["most_images"]


async def test_an_image_of_somebody_else_is_not_shown(stage: Stage) -> None:
    """Nor one that does not exist; the turn goes on, and says so."""
    other = Somebody(tenant_id=stage.user.tenant_id)
    theirs = await uploaded(stage, saved(drawn("secret")), other)
    events = await stage.play("What do you see?", file_ids=[theirs, new_id("file")])
    assert shown(stage.models.requests[-1]) == []
    assert missing(events) == ["multimedia"]
    assert events[-1].WhichOneof("event") == "completed"


async def test_a_turn_goes_on_without_multimedia(stack: AsyncExitStack, settings: Settings) -> None:
    alone = await staged(stack, settings)
    alone.models.model = SEER
    events = await alone.play("What do you see?", file_ids=[new_id("file")])
    assert missing(events) == ["multimedia"]
    assert events[-1].WhichOneof("event") == "completed"


def test_images_have_to_fit_together() -> None:
    half = PromptImage(data=b"x" * (MOST_BYTES // 2))
    assert len(fitting([half, half, PromptImage(data=b"x"), half])) == 2
    assert len(fitting([PromptImage(data=b"x")] * 9)) == MOST_IMAGES


@pytest.mark.parametrize("roles", [["SYSTEM", "USER", "ASSISTANT", "USER", "TOOL"], ["SYSTEM"]])
def test_images_belong_to_the_message_that_is_answered(roles: list[str]) -> None:
    """And the prompt that is kept stays as it was."""
    prompt = [PromptMessage(role=MessageRole.Value(f"MESSAGE_ROLE_{role}")) for role in roles]
    made = with_images(prompt, [PromptImage(name="a")])
    assert [at for at, m in enumerate(made) if m.images] == ([3] if len(roles) > 1 else [])
    assert not any(message.images for message in prompt)
