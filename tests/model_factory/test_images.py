"""Images in prompts: shown to models that see, named to those that do not."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from kari.conversation_models.v1.context_pb2 import PromptImage, PromptMessage
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.message_pb2 import MessageRole
from servers.model_factory.answer import Degraded, Step
from servers.model_factory.configuration import ModelEntry
from servers.model_factory.factory import ModelFactory
from servers.model_factory.fitting import fit, surely_fits
from servers.model_factory.images import IMAGE_TOKENS, placed
from servers.model_factory.prompting import Wanted
from servers.model_factory.tool_messages import readable
from tests.model_factory.conftest import steps_of, text_of
from tests.upstream.script import Script
from tests.upstream.server import Upstream

FactoryOf = Callable[..., ModelFactory]
USER, ASSISTANT = MessageRole.MESSAGE_ROLE_USER, MessageRole.MESSAGE_ROLE_ASSISTANT
PICTURE = PromptImage(file_id="file_1", name="cat.png", content_type="image/png", data=b"\x89PNG")
ASKED = PromptMessage(role=USER, content="What is it?", images=[PICTURE])
WANTED = Wanted([ASKED], 0, 0.7)
SEER = ModelEntry(id="seer", sees=True)


def shown(body: dict[str, Any]) -> tuple[str, str]:
    """Type and bytes of the one image of a request of either protocol."""
    (content,) = [m["content"] for m in body["messages"] if isinstance(m["content"], list)]
    (image,) = [part for part in content if part["type"].startswith("image")]
    assert content[0] == {"type": "text", "text": "cat.png:"}
    assert content[-1] == {"type": "text", "text": "What is it?"}
    if image["type"] == "image":
        return image["source"]["media_type"], image["source"]["data"]
    head, _, data = image["image_url"]["url"].partition(";base64,")
    return head.removeprefix("data:"), data


def missing(steps: list[Step]) -> list[Feature.ValueType]:
    """Features that are said to be missing."""
    return [step.feature for step in steps if isinstance(step, Degraded)]


async def test_a_model_that_sees_is_shown_images(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    """As its protocol has them."""
    steps = await steps_of(factory_of(SEER), f"{provider}/seer", wanted=WANTED)
    assert text_of(steps) == "Hello from upstream."
    content_type, data = shown(upstream.requests[0].body)
    assert (content_type, base64.b64decode(data)) == ("image/png", b"\x89PNG")
    assert not missing(steps)


async def test_a_model_that_does_not_see_is_told_their_names(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    steps = await steps_of(factory_of("blind"), f"{provider}/blind", wanted=WANTED)
    (message,) = [m for m in upstream.requests[0].body["messages"] if m["role"] == "user"]
    assert message["content"] == "What is it?\n\n[Images that you cannot see: cat.png]"
    assert missing(steps) == [Feature.FEATURE_IMAGES]


async def test_a_model_that_refuses_images_is_asked_without_them(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    """It does not see, whatever the configuration says."""
    upstream.scripts["seer"] = [Script(status=400), Script()]
    steps = await steps_of(factory_of(SEER), f"{provider}/seer", wanted=WANTED)
    assert text_of(steps) == "Hello from upstream."
    assert "cannot see: cat.png" in str(upstream.requests[1].body["messages"])
    assert missing(steps) == [Feature.FEATURE_IMAGES]


def test_only_what_users_said_shows_images() -> None:
    """Neither protocol takes them from anybody else."""
    said = PromptMessage(role=ASSISTANT, content="Here.", images=[PICTURE])
    first, second = placed([said, ASKED], sees=True)
    assert first.content == "Here.\n\n[Images that you cannot see: cat.png]"
    assert second == ASKED


def test_a_round_of_tools_leaves_images_where_they_are() -> None:
    result = PromptMessage(role=MessageRole.MESSAGE_ROLE_TOOL, content="42")
    assert readable([ASKED, result], reads_calls=False)[0].images == [PICTURE]


def test_images_count_when_a_prompt_is_fitted() -> None:
    """Older ones go with their messages; if there is no room for the last, it is named."""
    older = PromptMessage(role=USER, content="Older", images=[PICTURE])
    assert not surely_fits([ASKED], (), IMAGE_TOKENS)
    fitted = fit([older, ASKED], IMAGE_TOKENS + 100, len, lambda text, most: text[:most])
    assert list(fitted.messages) == [ASKED]
    tight = fit([ASKED], 200, len, lambda text, most: text[:most])
    assert not tight.messages[0].images
    assert "cat.png" in tight.messages[0].content
    assert tight.cut


@pytest.mark.parametrize(("name", "sees"), [("seer", True), ("blind", False)])
def test_models_say_whether_they_see(
    factory_of: FactoryOf, provider: str, name: str, sees: bool
) -> None:
    models, _ = factory_of(SEER, "blind").page(50, "")
    assert {model.id: model.sees for model in models}[f"{provider}/{name}"] is sees
