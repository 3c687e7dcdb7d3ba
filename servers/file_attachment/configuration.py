"""The limits of `files.toml`: text in, limits out. Pure."""

import tomllib

from pydantic import ValidationError

from servers.file_attachment.limits import Limits
from servers.runtime.settings import Misconfigured


def limits_of(text: str, file: str) -> Limits:
    """The limits in a TOML text; `file` is its name for complaints. Tables of other servers are
    theirs to read."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{file}: not TOML: {error}") from error
    try:
        return Limits.model_validate(raw.get("limits", {}))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["limits", *map(str, first["loc"])])
        raise Misconfigured(
            f"{file}: {field}: {first['msg']}; docs/files.md shows what belongs there"
        ) from error
