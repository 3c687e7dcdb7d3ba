"""Any provider that speaks OpenAI's chat completions API: OpenAI, Ollama, vLLM, llama.cpp, ..."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from servers.model_factory import wire_openai
from servers.model_factory.answer import ProviderEvent
from servers.model_factory.configuration import Timeouts
from servers.model_factory.provider import Prompt
from servers.model_factory.provider_http import EventSource
from servers.model_factory.tool_names import ToolNames


class OpenAiProvider:
    """One base URL with its key and headers."""

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        headers: Mapping[str, str] | None = None,
        reports_usage: bool = True,
        timeouts: Timeouts | None = None,
        keep_alive: bool = True,
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._headers = {**({"authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
        self._reports_usage = reports_usage
        self._source = EventSource(timeouts or Timeouts(), keep_alive=keep_alive)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ProviderEvent, None]:
        """The answer as it comes; see Provider."""
        body = wire_openai.body(prompt, reports_usage=self._reports_usage)
        dialect = wire_openai.OpenAiDialect(ToolNames.of(prompt.tools, prompt.messages))
        async with aclosing(self._source.stream(self._url, self._headers, body, dialect)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """Ends every stream and closes every connection."""
        await self._source.close()
