"""Reads the configuration and the key that it names."""

from servers.multimedia.configuration import Configuration, Speech, configuration_of
from servers.runtime.files_file import files_file
from servers.runtime.settings import Misconfigured, Settings, secret_from_environment


def read(settings: Settings) -> Configuration:
    """The configuration of the files file; without one, the defaults."""
    found = files_file(settings)
    return Configuration() if found is None else configuration_of(found[0], str(found[1]))


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
