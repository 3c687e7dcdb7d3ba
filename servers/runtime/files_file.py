"""The file that configures files: each of its servers reads its own tables of it."""

from pathlib import Path

from servers.runtime.settings import Misconfigured, Settings


def files_file(settings: Settings) -> tuple[str, Path] | None:
    """The text of the files file, and where it stands; None if there is none. Misconfigured if it
    cannot be read."""
    path = settings.files_file or settings.data / "files.toml"
    if settings.files_file is None and not path.exists():
        return None
    return readable(path, "KARI_FILES_FILE has to name a readable TOML file"), path


def readable(path: Path, way_out: str) -> str:
    """The text of a file that a configuration names; Misconfigured, with the way out, if it cannot
    be read."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{path}: cannot be read ({type(error).__name__}); {way_out}"
        ) from error
