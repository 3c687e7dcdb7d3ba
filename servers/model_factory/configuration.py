"""Providers, models and routing, as a TOML file says. `configured.py` reads the file.

A `[providers.NAME]` table for each provider, `[[providers.NAME.models]]` for each of its models;
`[routing]`, `[retry]` and `[breaker]` as below. docs/models.md shows a whole file. Pure.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
ModelName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,79}$")]

LOCAL = "local"
"""The provider that is always there."""


class ModelEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One model of a provider. Windows are in tokens of its tokenizer; `roles` are those a user
    needs to choose it by name; `extra` goes into every request as it is."""

    id: ModelName
    context_window: Positive = 128_000
    max_output_tokens: Positive = 4096
    tokenizer: Literal["smollm2", "cl100k", "o200k"] = "o200k"
    roles: tuple[str, ...] = ()
    # OpenAI's reasoning models know only `max_completion_tokens` and refuse a temperature.
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    takes_temperature: bool = True
    # Those that do not are told of no tools, and read earlier calls as text.
    calls_tools: bool = True
    # Some want reasoning or signatures back with each call, which are not kept: they read earlier
    # calls as text.
    tool_history: Literal["native", "text"] = "native"
    # Those that do not are told the names of images.
    sees: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def reads_calls(self) -> bool:
        """Whether it is given earlier calls as such. Anthropic refuses a call without the thinking
        that led to it while `thinking` is on."""
        thinking = self.extra.get("thinking")
        thinks = isinstance(thinking, dict) and thinking.get("type") != "disabled"
        return self.calls_tools and self.tool_history == "native" and not thinks


class Timeouts(Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds: to connect, to the first token, from each token to the next."""

    connect: Seconds = 5.0
    first_token: Seconds = 30.0
    idle: Seconds = 20.0


class ProviderEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One provider. The key is read from the variable or the file that is named, never from here;
    without either none is sent."""

    kind: Literal["openai", "anthropic"]
    base_url: Annotated[str, Meta(pattern=r"^https?://[^\s?#]+$")] | None = None
    key_env: str | None = None
    key_file: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    # Some servers refuse `stream_options`; their tokens are counted here then.
    reports_usage: bool = True
    timeouts: Timeouts = Timeouts()
    models: Annotated[tuple[ModelEntry, ...], Meta(min_length=1)] = ()


class LocalEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """The local model: threads, answers at the same time, and its timeouts. The first token is
    waited for long: who comes when all slots are taken stands in line, and nobody hangs."""

    threads: Positive = 1
    slots: Positive = 4
    timeouts: Timeouts = Timeouts(first_token=120.0, idle=20.0)


Mode = Literal["chat", "analysis", "creative", "technical", "code", "summarization"]


class Routing(Struct, frozen=True, forbid_unknown_fields=True):
    """Which model answers; all names are `provider/model`. Unset: `default` is the first model
    configured, `complex` none, `fallback` the default."""

    default: str | None = None
    complex: str | None = None
    modes: dict[Mode, str] = field(default_factory=dict)
    fallback: tuple[str, ...] = ()


class Retry(Struct, frozen=True, forbid_unknown_fields=True):
    """Tries of one model, and bounds of the waits between them in seconds."""

    attempts: Positive = 3
    first_wait: Seconds = 0.25
    longest_wait: Seconds = 4.0


class BreakerEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """Failures in a row that open a provider's breaker, and seconds until it is tried again."""

    failures: Positive = 5
    cooldown: Seconds = 30.0


class Configuration(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything the file may say. Empty, it is the local model alone."""

    providers: dict[str, ProviderEntry] = field(default_factory=dict)
    local: LocalEntry = LocalEntry()
    routing: Routing = Routing()
    retry: Retry = Retry()
    breaker: BreakerEntry = BreakerEntry()


SMOLLM2 = ModelEntry(
    id="smollm2-135m",
    context_window=2048,
    max_output_tokens=512,
    tokenizer="smollm2",
    calls_tools=False,
)
"""The model of the local provider. It was trained on 8192 tokens; at 170 tokens a second a longer
prompt than this would keep people waiting for more than ten seconds."""

LOCAL_ID = f"{LOCAL}/{SMOLLM2.id}"


def entries(configuration: Configuration) -> Mapping[str, ModelEntry]:
    """Every model by its `provider/model`, in the order of the file, the local one last."""
    found = {
        f"{name}/{model.id}": model
        for name, provider in configuration.providers.items()
        for model in provider.models
    }
    return {**found, LOCAL_ID: SMOLLM2}
