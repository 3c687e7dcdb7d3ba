"""What every provider is: something that streams an answer to a prompt."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.tool_pb2 import Tool
from servers.model_factory.answer import ProviderEvent
from servers.model_factory.configuration import ModelEntry


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
    def is_plain(self) -> bool:
        """Whether it has nothing to do with the calling of tools."""
        return not self.tools and not any(message.tool_calls for message in self.messages)


class Provider(Protocol):
    """One provider. Closing the stream stops its work at once."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[ProviderEvent, None]:
        """The answer as it comes. Raises ProviderFailure; ends after `Stopped`, or it was cut."""

    async def close(self) -> None:
        """Ends every stream and lets go of everything."""
