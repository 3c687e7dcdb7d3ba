"""Reads the configuration of hooks, and makes sure that its rules are rules."""

from pathlib import Path

from servers.hook_enabled_file.configuration import HooksTable, hooks_of
from servers.hook_enabled_file.words import rules_of
from servers.runtime.files_file import files_file, readable
from servers.runtime.settings import Misconfigured, Settings


def read(settings: Settings) -> HooksTable:
    """The hooks of the files file; without one, the built-in ones."""
    found = files_file(settings)
    if found is None:
        return HooksTable()
    text, path = found
    table = hooks_of(text, str(path))
    if words := rules_of(table.policy.rules):
        _require_rules(words, f"{path}: hooks.policy.rules")
    return table


def rules_from(file: str) -> str:
    """The text of a file of YARA rules; Misconfigured if it cannot be read or holds none."""
    text = readable(Path(file), "it has to be a readable file of YARA rules")
    _require_rules(text, file)
    return text


def _require_rules(source: str, where: str) -> None:
    import yara_x  # native, and seldom needed in this process

    from servers.hook_enabled_file.reading.scanning import compiled

    try:
        compiled(source)
    except yara_x.CompileError as error:
        raise Misconfigured(f"{where}: not YARA: {error}") from error
