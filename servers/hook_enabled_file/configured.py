"""Reads the configuration of hooks, and makes sure that its rules are rules."""

from pathlib import Path

from servers.hook_enabled_file.configuration import HooksTable, hooks_of
from servers.hook_enabled_file.words import rules_of
from servers.runtime.settings import Misconfigured, Settings


def read(settings: Settings) -> HooksTable:
    """The hooks of the files file; without one, the built-in ones."""
    path = settings.files_file or settings.data / "files.toml"
    if settings.files_file is None and not path.exists():
        return HooksTable()
    table = hooks_of(_text(path, "KARI_FILES_FILE has to name a readable TOML file"), str(path))
    if words := rules_of(table.policy.rules):
        _require_rules(words, f"{path}: hooks.policy.rules")
    return table


def rules_from(file: str) -> str:
    """The text of a file of YARA rules; Misconfigured if it cannot be read or holds none."""
    text = _text(Path(file), "it has to be a readable file of YARA rules")
    _require_rules(text, file)
    return text


def _text(path: Path, way_out: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{path}: cannot be read ({type(error).__name__}); {way_out}"
        ) from error


def _require_rules(source: str, where: str) -> None:
    import yara_x  # native, and seldom needed in this process

    compiler = yara_x.Compiler()
    compiler.define_global("document_name", False)
    try:
        compiler.add_source(source)
    except yara_x.CompileError as error:
        raise Misconfigured(f"{where}: not YARA: {error}") from error
