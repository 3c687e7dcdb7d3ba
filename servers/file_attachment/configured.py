"""Reads the limits of files."""

from servers.file_attachment.configuration import limits_of
from servers.file_attachment.limits import Limits
from servers.runtime.files_file import files_file
from servers.runtime.settings import Settings


def read(settings: Settings) -> Limits:
    """The limits of the files file; without one, the defaults."""
    found = files_file(settings)
    return Limits() if found is None else limits_of(found[0], str(found[1]))
