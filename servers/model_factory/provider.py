"""What every provider is: something that streams an answer to a prompt."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.tool_pb2 import Tool
from servers.model_factory.answer import ProviderEvent
from servers.model_factory.configuration import ModelEntry
from servers.model_factory.images import has_images


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to write. `max_tokens` is at most what the model can; `temperature` is 0 to 2. Calls
    and the results that have an id follow each other as `tool_messages` says."""

    model: ModelEntry
    messages: Sequence[PromptMessage]
    max_tokens: int
    temperature: float
    tools: Sequence[Tool] = ()

    @property
    def has_tools(self) -> bool:
        """Whether it has to do with the calling of tools."""
        return bool(self.tools) or any(message.tool_calls for message in self.messages)

    @property
    def has_images(self) -> bool:
        """Whether it shows images."""
        return has_images(self.messages)


class Provider(Protocol):
    """One provider. Closing the stream stops its work at once."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[ProviderEvent, None]:
        """The answer as it comes. Raises ProviderFailure; ends after `Stopped`, or it was cut."""

    async def close(self) -> None:
        """Ends every stream and lets go of everything."""
