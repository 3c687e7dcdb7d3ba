"""Reads the configuration and the key that it names."""

from servers.multimedia.configuration import Configuration, Speech, configuration_of
from servers.runtime.settings import Misconfigured, Settings, secret_from_environment


def read(settings: Settings) -> Configuration:
    """The configuration of the files file; without one, the defaults."""
    path = settings.files_file or settings.data / "files.toml"
    if settings.files_file is None and not path.exists():
        return Configuration()
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{path}: cannot be read ({type(error).__name__}); "
            "KARI_FILES_FILE has to name a readable TOML file"
        ) from error
    return configuration_of(text, str(path))


def key_of(speech: Speech) -> str | None:
    """The key of the speech service; None if it needs none."""
    if not speech.base_url or speech.key_env is None:
        return None
    key = secret_from_environment(speech.key_env)
    if key is None:
        raise Misconfigured(
            f"speech.key_env: the variable {speech.key_env} is not set; "
            "set it, or remove key_env if the service needs no key"
        )
    return key
