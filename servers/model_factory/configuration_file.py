"""Decoding and checking the models file: text in, configuration out.

Every complaint names the file, the field and the way out. Pure.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from servers.model_factory.configuration import (
    LOCAL,
    Configuration,
    ProviderEntry,
    Routing,
    entries,
)
from servers.runtime.settings import Misconfigured

T = TypeVar("T")


class ConfigurationError(Misconfigured):
    """The models file is wrong; the message is for the person who wrote it."""


def decode(text: str, file: str) -> Configuration:
    """The configuration in a TOML text; `file` is its name for complaints."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: not TOML: {error}") from error
    providers = raw.pop("providers", {})
    if not isinstance(providers, dict):
        raise ConfigurationError(f"{file}: providers: write a table, `[providers.NAME]`, for each")
    configuration = msgspec.structs.replace(
        _convert(raw, Configuration, file, ""),
        providers={
            name: _convert(entry, ProviderEntry, file, f"providers.{name}")
            for name, entry in providers.items()
        },
    )
    for complaint in _complaints(configuration):
        raise ConfigurationError(f"{file}: {complaint}")
    return configuration


def _convert(raw: Any, kind: type[T], file: str, where: str) -> T:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        field = f"{where}{path.rstrip('`')}".strip(".") or "the file"
        raise ConfigurationError(f"{file}: {field}: {problem}{_way_out(problem)}") from error


def _way_out(problem: str) -> str:
    if "unknown field" in problem:
        return "; remove it, or look for a spelling mistake (docs/models.md lists all fields)"
    return "; docs/models.md shows what belongs there"


def _complaints(configuration: Configuration) -> Iterator[str]:
    for name, provider in configuration.providers.items():
        yield from _of_provider(name, provider)
    yield from _of_routing(configuration)


def _of_provider(name: str, provider: ProviderEntry) -> Iterator[str]:
    where = f"providers.{name}"
    if name == LOCAL:
        yield f"{where}: the local provider is always there; its settings go into `[local]`"
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,18}", name):
        yield f"{where}: name it with up to 19 of a-z, 0-9, `_` and `-`"
    if provider.kind == "openai" and provider.base_url is None:
        yield f"{where}.base_url: missing; for example `https://api.openai.com/v1`"
    if provider.key_env and provider.key_file:
        yield f"{where}: both key_env and key_file are set; keep one of them"
    if not provider.models:
        yield f"{where}.models: missing; add a `[[providers.{name}.models]]` with an `id`"
    yield from _of_models(where, provider)


def _of_models(where: str, provider: ProviderEntry) -> Iterator[str]:
    seen: set[str] = set()
    for place, model in enumerate(provider.models):
        if model.id in seen:
            yield f"{where}.models[{place}].id: `{model.id}` is there twice; remove one"
        if model.max_output_tokens >= model.context_window:
            yield (
                f"{where}.models[{place}].max_output_tokens: leaves no room for a prompt; "
                f"it has to be smaller than context_window ({model.context_window})"
            )
        seen.add(model.id)


def _of_routing(configuration: Configuration) -> Iterator[str]:
    known = entries(configuration)
    for field, model in _named(configuration.routing):
        if model not in known:
            yield f"routing.{field}: no model `{model}`; known are {', '.join(known)}"


def _named(routing: Routing) -> Iterator[tuple[str, str]]:
    if routing.default is not None:
        yield "default", routing.default
    if routing.complex is not None:
        yield "complex", routing.complex
    for mode, model in routing.modes.items():
        yield f"modes.{mode}", model
    for place, model in enumerate(routing.fallback):
        yield f"fallback[{place}]", model
