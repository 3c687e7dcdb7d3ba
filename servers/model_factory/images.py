"""Images in a prompt, as a model can take them. Pure."""

from base64 import b64encode
from collections.abc import Sequence

from kari.conversation_models.v1.context_pb2 import PromptImage, PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole

IMAGE_TOKENS = 1600
"""Most tokens of an image of 1568 pixels: Anthropic's (https://docs.claude.com/en/docs/build-with-
claude/vision#calculate-image-costs); OpenAI's takes 1105 at most."""

# Both protocols take images from users alone, without detours; results of tools are texts.
_USER = MessageRole.MESSAGE_ROLE_USER


def placed(messages: Sequence[PromptMessage], *, sees: bool) -> Sequence[PromptMessage]:
    """The prompt with images where a model sees them; elsewhere they are told in words."""
    if not any(message.images for message in messages):
        return messages
    return [m if sees and m.role == _USER and not m.tool_call_id else in_words(m) for m in messages]


def has_images(messages: Sequence[PromptMessage]) -> bool:
    """Whether there are any."""
    return any(message.images for message in messages)


def in_words(message: PromptMessage) -> PromptMessage:
    """A message whose images are named instead of shown."""
    if not message.images:
        return message
    names = ", ".join(image.name or "without a name" for image in message.images)
    told = PromptMessage()
    told.CopyFrom(message)
    told.ClearField("images")
    told.content = f"{message.content}\n\n[Images that you cannot see: {names}]".strip()
    return told


def size_of_images(message: PromptMessage) -> int:
    """Most tokens of a message's images."""
    return IMAGE_TOKENS * len(message.images)


def encoded(image: PromptImage) -> str:
    """Its bytes in base64."""
    return b64encode(image.data).decode()
