"""Where capsules are: those of Kari first, then those that the settings name."""

from collections.abc import Sequence

from servers.capsules import in_server
from servers.capsules.catalogue import Place
from servers.capsules.in_server import InServer
from servers.capsules.outside import Outside
from servers.capsules.signature import BadKeys, TrustedKeys, trusted_keys
from servers.capsules.version import Handler, Version
from servers.runtime.settings import Misconfigured, Settings


def capsule_places(settings: Settings, outside: Outside) -> Sequence[Place]:
    """The places, in the order in which they count. Misconfigured if the file of keys is wrong, or
    signatures are asked for and there is none."""
    keys, signed = keys_of(settings), settings.capsules_signed
    places = [Place(in_server.FOLDER, True, _built_in, {})]
    places += [
        Place(folder, False, outside.handler, keys, signed) for folder in settings.capsule_folders
    ]
    own = settings.data / "capsules"
    return [*places, Place(own, False, outside.handler, keys, signed, expected=False)]


def keys_of(settings: Settings) -> TrustedKeys:
    """The keys that may sign."""
    if settings.capsule_keys is None:
        if settings.capsules_signed:
            raise Misconfigured("KARI_CAPSULES_SIGNED asks for KARI_CAPSULE_KEYS, which is not set")
        return {}
    try:
        return trusted_keys(settings.capsule_keys.read_text())
    except (OSError, ValueError, BadKeys) as error:
        raise Misconfigured(f"KARI_CAPSULE_KEYS: {settings.capsule_keys}: {error}") from None


def _built_in(name: str, _version: Version) -> Handler:
    return InServer(name)
