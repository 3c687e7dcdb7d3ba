"""Puts configuration, keys and providers together."""

from collections.abc import Mapping
from pathlib import Path

from servers.model_factory.configuration import LOCAL, Configuration, ProviderEntry
from servers.model_factory.configuration_file import ConfigurationError, decode
from servers.model_factory.provider import Provider
from servers.model_factory.provider_anthropic import AnthropicProvider
from servers.model_factory.provider_local import LocalProvider
from servers.model_factory.provider_openai import OpenAiProvider
from servers.runtime.settings import Settings, secret_from_environment


def read(settings: Settings) -> Configuration:
    """The configuration of the models file; without one, the local model alone."""
    path = settings.models_file or settings.data / "models.toml"
    if settings.models_file is None and not path.exists():
        return Configuration()
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({type(error).__name__}); "
            "KARI_MODELS_FILE has to name a readable TOML file"
        ) from error
    return decode(text, str(path))


def providers(configuration: Configuration) -> Mapping[str, Provider]:
    """Every provider by name, the local one among them. Nothing is connected or loaded yet."""
    remote = {name: _remote(name, entry) for name, entry in configuration.providers.items()}
    return {**remote, LOCAL: LocalProvider(configuration.local)}


def _remote(name: str, entry: ProviderEntry) -> Provider:
    key = _key(name, entry)
    if entry.kind == "anthropic":
        return AnthropicProvider(
            entry.base_url, key, headers=entry.headers, timeouts=entry.timeouts
        )
    return OpenAiProvider(
        entry.base_url or "",
        key,
        headers=entry.headers,
        reports_usage=entry.reports_usage,
        timeouts=entry.timeouts,
    )


def _key(name: str, entry: ProviderEntry) -> str | None:
    if entry.key_env is not None:
        key = secret_from_environment(entry.key_env)
        if key is None:
            raise ConfigurationError(
                f"providers.{name}.key_env: the variable {entry.key_env} is not set; "
                "set it, or remove key_env if the provider needs no key"
            )
        return key
    return None if entry.key_file is None else _key_in(name, Path(entry.key_file))


def _key_in(name: str, path: Path) -> str:
    try:
        key = path.expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"providers.{name}.key_file: {path} cannot be read ({type(error).__name__}); "
            "write the key into it, readable for the user Kari runs as"
        ) from error
    if not key or not key.isprintable():
        raise ConfigurationError(f"providers.{name}.key_file: {path} holds no key on one line")
    return key
