"""Reads the limits of files."""

from servers.file_attachment.configuration import limits_of
from servers.file_attachment.limits import Limits
from servers.runtime.settings import Misconfigured, Settings


def read(settings: Settings) -> Limits:
    """The limits of the files file; without one, the defaults."""
    path = settings.files_file or settings.data / "files.toml"
    if settings.files_file is None and not path.exists():
        return Limits()
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{path}: cannot be read ({type(error).__name__}); "
            "KARI_FILES_FILE has to name a readable TOML file"
        ) from error
    return limits_of(text, str(path))
