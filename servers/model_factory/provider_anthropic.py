"""Anthropic's messages API, and whoever is compatible with it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from servers.model_factory import wire_anthropic
from servers.model_factory.answer import ProviderEvent
from servers.model_factory.configuration import Timeouts
from servers.model_factory.provider import Prompt
from servers.model_factory.provider_http import EventSource
from servers.model_factory.tool_names import ToolNames

BASE_URL = "https://api.anthropic.com"


class AnthropicProvider:
    """One base URL (without `/v1`) with its key and headers."""

    def __init__(
        self,
        base_url: str | None,
        key: str | None,
        *,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._url = f"{(base_url or BASE_URL).rstrip('/')}/v1/messages"
        self._headers = {
            "anthropic-version": wire_anthropic.VERSION,
            **({"x-api-key": key} if key else {}),
            **(headers or {}),
        }
        self._source = EventSource(timeouts or Timeouts())

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ProviderEvent, None]:
        """The answer as it comes; see Provider."""
        body = wire_anthropic.body(prompt)
        names = ToolNames.of(prompt.tools, prompt.messages)
        dialect = wire_anthropic.AnthropicDialect(names)
        async with aclosing(self._source.stream(self._url, self._headers, body, dialect)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """Ends every stream and closes every connection."""
        await self._source.close()
